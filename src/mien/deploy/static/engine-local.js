/** The engine in the browser: the interface of `engine.js` over onnxruntime-web in a worker. */

import { EngineError, NO_FEATURES, faceFrom } from "./api/engine.js";
import { FIXED, LocalPeople } from "./local/people.js";
import { cacheSite, switchToNewVersion } from "./local/offline.js";
import { Loading } from "./local/loading.js";

/** How many of the last faces can be corrected. */
const MAX_TOKENS = 200;

/** A minimal WebAssembly module with a SIMD instruction: the runtime needs SIMD. */
// prettier-ignore
const SIMD = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3,
  2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
);

/** @implements {import("./api/engine.js").Engine} */
export class LocalEngine {
  features = { ...NO_FEATURES, corrections: true, people: true, editPeople: true };
  place = "in this browser: they are sent nowhere";
  privacy = [
    "The recognizer runs in this browser. The page's policy blocks requests to other hosts, and from its own host the page only reads its files: no photo, face or name leaves this device.",
    "There is no liveness detection: a photo of a photo works too, so do not use it to unlock anything. Faces are biometric data: ask people first.",
  ];
  #base = new URL("./", import.meta.url).href;
  #settings = null;
  /** As in the server's engine: the last result of `recognizers`, and the one in use. */
  listed = [];
  current = null;
  #worker = null;
  #pending = new Map();
  #lastId = 0;
  #ownPeople = [];
  #embeddings = new Map();
  /** Number of threads of the runtime, once it is loaded. */
  threads = 0;

  /** Load the runtime and the recognizer, and show the progress. */
  async start() {
    await switchToNewVersion(this.#base);
    const loading = new Loading();
    try {
      if (!globalThis.WebAssembly?.validate(SIMD)) {
        throw new EngineError("This browser is too old to recognise faces.", {
          hint: "Use a browser from 2023 or later.",
        });
      }
      this.#settings = await (
        await fetch(new URL("ship.json", this.#base), { cache: "no-cache" })
      ).json();
      this.#startWorker(loading);
      const loaded = await this.#call("load", { base: this.#base, settings: this.#settings });
      this.threads = loaded.threads;
      this.people = this.#createPeople();
      // Where the browser blocks storage, the page works without people of the visitor's own.
      await this.people.refresh().catch(() => this.#disablePeople());
      await this.recognizers();
    } catch (error) {
      this.#worker?.terminate();
      throw error;
    }
    globalThis.mien = { engine: this }; // for the browser's console and `mien deploy check`
    cacheSite(this.#base);
    return true;
  }

  /** The recognizer file's metadata, in the form of the server's answer. */
  async recognizers() {
    const { people, policy, about, bytes } = this.#settings.recognizer.about;
    this.current = {
      handle: "This recognizer",
      kind: "file",
      people,
      policy,
      bytes,
      ...about,
      stored: [
        "Photos are processed in this browser's memory: they are neither sent nor stored.",
        "People that you add: their names, and the embedding of the face in each photo (some 128 numbers). They stay in this browser until you delete them.",
      ],
    };
    this.listed = [this.current];
    return this.listed;
  }

  use() {}

  async identify(photo, options) {
    const { width, height, faces } = await this.identifyJson(photo, options);
    return { width, height, faces: faces.map(faceFrom) };
  }

  /** A photo's result as in the JSON of `/v1/identify`: the same fields, with the same rounding. */
  async identifyJson(photo, { crops = true, top = 5, signal } = {}) {
    const result = await this.#call("identify", { photo, crops, top }, { signal });
    return { ...result, faces: result.faces.map((face) => this.#faceJson(face)) };
  }

  /** Enrol the face of an answer as a person of the visitor's own. */
  async is(token, { id, name }) {
    await this.people.addEmbedding(id ?? FIXED + name, this.#embedding(token));
  }

  /** Record that the face of an answer is not a certain person. */
  async isNot(token, id) {
    await this.people.addNegative(id, this.#embedding(token));
  }

  #embedding(token) {
    const embedding = this.#embeddings.get(token);
    if (!embedding)
      throw new EngineError("This face can no longer be corrected.", {
        hint: "Choose the photo again.",
        kind: "refused",
      });
    return embedding;
  }

  #faceJson({ box, points, score, person, candidates, crop, embedding }) {
    const token = crypto.randomUUID?.() ?? String(Math.random());
    this.#embeddings.set(token, embedding);
    if (this.#embeddings.size > MAX_TOKENS)
      this.#embeddings.delete(this.#embeddings.keys().next().value);
    const [best] = candidates;
    return {
      box: box.map((value) => rounded(value, 1)),
      points: points.map((point) => point.map((value) => rounded(value, 1))),
      score: rounded(score, 4),
      ...(person < 0 ? { name: null, person_id: null } : this.#person(person)),
      probability: rounded(best.probability, 4),
      similarity: rounded(best.similarity, 4),
      false_positive_rate: this.#rate(best.similarity),
      nearest: this.#person(best.person).name,
      candidates: candidates.map(({ person: index, similarity, probability }) => ({
        ...this.#person(index),
        similarity: rounded(similarity, 4),
        probability: rounded(probability, 4),
      })),
      crop,
      face_token: token,
    };
  }

  /** Name and id of a person: first come those of the file, then the visitor's own. */
  #person(index) {
    const known = this.#settings.recognizer.about.people;
    const own = this.#ownPeople[index - known.length];
    return own
      ? { name: own.name, person_id: own.id }
      : { name: known[index], person_id: FIXED + known[index] };
  }

  /** The false positive rate at a similarity, interpolated between the stored rates. */
  #rate(similarity) {
    const { least, step, rates } = this.#settings.recognizer.strangers ?? {};
    if (!rates) return null;
    const position = Math.min(Math.max((similarity - least) / step, 0), rates.length - 1);
    const below = Math.floor(position);
    const above = Math.min(below + 1, rates.length - 1);
    return rates[below] + (position - below) * (rates[above] - rates[below]);
  }

  #createPeople() {
    const { about, prototypes } = this.#settings.recognizer;
    return new LocalPeople({
      name: `mien:${this.#base}`,
      contract: about.contract,
      dimension: prototypes.dimension,
      fixed: about.people.map((name, index) => ({ name, photos: about.photos[index] })),
      extractSample: (photo, box) => this.#extractSample(photo, box),
      onChange: async ({ people, ...arrays }) => {
        await this.#call("setVisitors", { ...arrays, people: people.length });
        this.#ownPeople = people;
      },
    });
  }

  #disablePeople() {
    this.features = { ...NO_FEATURES };
  }

  async #extractSample(photo, box) {
    const { faces } = await this.identify(photo, { crops: false, top: 1 });
    const chosen = box ?? (faces.length === 1 ? faces[0].box : null);
    const sample = chosen && (await this.#call("sample", { photo, box: chosen }));
    const named = faces.length === 1 ? faces[0].name : null;
    return { faces, sample, named };
  }

  #startWorker(loading) {
    this.#worker = new Worker(new URL("local/worker.js", this.#base), { type: "module" });
    this.#worker.addEventListener("message", ({ data }) => {
      if (data.progress) {
        loading.show(data.progress);
        return;
      }
      const { resolve, reject } = this.#pending.get(data.id);
      this.#pending.delete(data.id);
      if (data.failed) reject(new EngineError(data.failed.message, data.failed));
      else resolve(data.result);
    });
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      const error = new EngineError("The recognizer stopped.", {
        hint: "Load the page again. A smaller photo may help.",
      });
      for (const { reject } of this.#pending.values()) reject(error);
      this.#pending.clear();
    });
  }

  /** Run an operation of the worker. */
  #call(operation, parameters, { signal } = {}) {
    signal?.throwIfAborted();
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")), {
        once: true,
      });
      this.#worker.postMessage({ id, operation, ...parameters });
    });
  }
}

const rounded = (value, digits) => Math.round(value * 10 ** digits) / 10 ** digits;
