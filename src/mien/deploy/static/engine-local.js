/** The engine in the browser itself: `engine.js` over onnxruntime-web in a worker. */

import { EngineError, NO_FEATURES } from "./api/engine.js";
import { FIXED, LocalPeople } from "./local/people.js";
import { readyForOffline, replaceByNewer } from "./local/offline.js";
import { Loading } from "./local/loading.js";

const TOKENS = 200;

/** The least module that uses 128-bit numbers; the runtime is made of them. */
const SIMD = Uint8Array.of(
  0,
  97,
  115,
  109,
  1,
  0,
  0,
  0,
  1,
  5,
  1,
  96,
  0,
  1,
  123,
  3,
  2,
  1,
  0,
  10,
  10,
  1,
  8,
  0,
  65,
  0,
  253,
  15,
  253,
  98,
  11,
);

/** @implements {import("./api/engine.js").Engine} */
export class LocalEngine {
  features = { ...NO_FEATURES, corrections: true, people: true, editPeople: true };
  place = "in this browser: they are sent nowhere";
  privacy = [
    "The recognizer runs in this browser. The page's own rules forbid it every address but the one it came from, and from there it only reads its own files: no photo, no face and no name leaves this device.",
    "There is no test of liveness: a photo of a photo is a photo, so unlock nothing with it. Faces are biometric data; ask people first.",
  ];
  #base = new URL("./", import.meta.url).href;
  #ship = null;
  /** Like the server's engine: what `recognizers` said last, and which of them answers. */
  listed = [];
  current = null;
  #worker = null;
  #asked = new Map();
  #lastId = 0;
  #own = [];
  #seen = new Map();
  /** Threads that the runtime got, once it is loaded. */
  threads = 0;

  /** Load the runtime and the recognizer, with a bar that says how far it is. */
  async start() {
    await replaceByNewer(this.#base);
    const loading = new Loading();
    try {
      if (!globalThis.WebAssembly?.validate(SIMD)) {
        throw new EngineError("This browser is too old to recognise faces.", {
          hint: "Any browser from 2023 or later can.",
        });
      }
      this.#ship = await (
        await fetch(new URL("ship.json", this.#base), { cache: "no-cache" })
      ).json();
      this.#work(loading);
      this.threads = (await this.#ask("load", { base: this.#base, ship: this.#ship })).threads;
      this.people = this.#people();
      // A browser that forbids storage still recognises.
      await this.people.refresh().catch(() => this.#closePeople());
      await this.recognizers();
    } catch (error) {
      this.#worker?.terminate();
      throw error;
    }
    globalThis.mien = { engine: this }; // for the browser's console, and for `mien deploy check`
    readyForOffline(this.#base);
    return true;
  }

  /** What the recognizer's file says of itself, as the server tells it. */
  async recognizers() {
    const { people, policy, about, bytes } = this.#ship.recognizer.about;
    this.current = {
      handle: "This recognizer",
      kind: "file",
      people,
      policy,
      bytes,
      ...about,
      stored: [
        "Photos are looked at in this browser's memory: they are neither sent nor kept.",
        "Of people that you add: their names, and of each photo 128 or so numbers that stand for the face. They are kept in this browser until you forget them.",
      ],
    };
    this.listed = [this.current];
    return this.listed;
  }

  use() {}

  async identify(photo, { crops = true, top = 5, signal } = {}) {
    const answer = await this.#ask("identify", { photo, crops, top }, { signal });
    return { ...answer, faces: answer.faces.map((face) => this.#named(face)) };
  }

  /** Learn the face of an answer as a person of the visitor's own. */
  async is(token, { id, name }) {
    await this.people.addEmbedding(id ?? FIXED + name, this.#face(token));
  }

  /** Remember that the face of an answer is not a person. */
  async isNot(token, id) {
    await this.people.addNegative(id, this.#face(token));
  }

  #face(token) {
    const embedding = this.#seen.get(token);
    if (!embedding)
      throw new EngineError("This face is no longer at hand.", {
        hint: "Look at the photo again.",
        kind: "refused",
      });
    return embedding;
  }

  #named({ person, candidates, embedding, ...face }) {
    const who = (index) => {
      const known = this.#ship.recognizer.about.people;
      const own = this.#own[index - known.length];
      return own
        ? { name: own.name, personId: own.id }
        : { name: known[index], personId: FIXED + known[index] };
    };
    const [nearest] = candidates;
    const token = crypto.randomUUID?.() ?? String(Math.random());
    this.#seen.set(token, embedding);
    if (this.#seen.size > TOKENS) this.#seen.delete(this.#seen.keys().next().value);
    return {
      ...face,
      ...(person < 0 ? { name: null, personId: null } : who(person)),
      probability: nearest.probability,
      similarity: nearest.similarity,
      falsePositiveRate: this.#rate(nearest.similarity),
      candidates: candidates.map(({ person: index, ...rest }) => ({ ...who(index), ...rest })),
      token,
    };
  }

  /** How often a stranger gets such a similarity to anybody, between the rates that were shipped. */
  #rate(similarity) {
    const { least, step, rates } = this.#ship.recognizer.strangers ?? {};
    if (!rates) return null;
    const at = Math.min(Math.max((similarity - least) / step, 0), rates.length - 1);
    const below = Math.floor(at);
    const above = Math.min(below + 1, rates.length - 1);
    return rates[below] + (at - below) * (rates[above] - rates[below]);
  }

  #people() {
    const { about, prototypes } = this.#ship.recognizer;
    return new LocalPeople({
      name: `mien:${this.#base}`,
      contract: about.contract,
      dimension: prototypes.dimension,
      fixed: about.people.map((name, index) => ({ name, photos: about.photos[index] })),
      look: (photo, box) => this.#look(photo, box),
      changed: async ({ people, ...taught }) => {
        await this.#ask("visitors", { ...taught, people: people.length });
        this.#own = people;
      },
    });
  }

  #closePeople() {
    this.features = { ...NO_FEATURES };
  }

  async #look(photo, box) {
    const { faces } = await this.identify(photo, { crops: false, top: 1 });
    const chosen = box ?? (faces.length === 1 ? faces[0].box : null);
    const sighting = chosen && (await this.#ask("sighting", { photo, box: chosen }));
    const named = faces.length === 1 ? faces[0].name : null;
    return { faces, sighting, named };
  }

  #work(loading) {
    this.#worker = new Worker(new URL("local/worker.js", this.#base), { type: "module" });
    this.#worker.addEventListener("message", ({ data }) => {
      if (data.progress) {
        loading.show(data.progress);
        return;
      }
      const { resolve, reject } = this.#asked.get(data.id);
      this.#asked.delete(data.id);
      if (data.failed) reject(new EngineError(data.failed.message, data.failed));
      else resolve(data.answer);
    });
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      const error = new EngineError("The recognizer stopped.", {
        hint: "Load the page again; a smaller photo may help.",
      });
      for (const { reject } of this.#asked.values()) reject(error);
      this.#asked.clear();
    });
  }

  #ask(does, asked, { signal } = {}) {
    signal?.throwIfAborted();
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      signal?.addEventListener("abort", () => reject(new DOMException("given up", "AbortError")), {
        once: true,
      });
      this.#worker.postMessage({ id, does, ...asked });
    });
  }
}
