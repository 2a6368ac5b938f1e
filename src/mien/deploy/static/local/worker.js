/**
 * The recognizer in a worker of its own, so that the page stays smooth while it thinks.
 *
 * Every decision is the graphs': the recognizer file names the people it knows; where the visitor
 * has people of their own, `compare` (the same stage, with those people as inputs) does. Here
 * pixels go in and arrays come out.
 */

import * as ort from "../runtime/ort.wasm.min.mjs";
import { cacheOf, shippedFile } from "./files.js";
import { cropPicture, mirrored, pixelsOf } from "./pixels.js";

const CROP_SIDE = 112;
const MOST_THREADS = 4;
/** Two boxes with more intersection over union than this are of one face. */
const SAME_FACE = 0.4;
const NAMED = ["candidates", "similarities", "probabilities", "person"];
const FOUND = ["boxes", "points", "scores", "crops", "embeddings"];

let enough = 0;
let recognizer = null;
let compare = null;
let prototypes = null;
let visitors = null;

const DOES = {
  async load({ base, ship }) {
    enough = ship.recognizer.enough;
    const cache = await cacheOf(base, ship.version);
    const wanted = [ship.runtime.wasm, ship.compare.path, ...ship.recognizer.parts];
    const total = wanted.reduce((sum, path) => sum + ship.files[path].bytes, 0);
    let done = 0;
    const tell = (more) =>
      postMessage({ progress: { done: (done += more), total, what: "loading" } });
    const load = (path) => shippedFile(base, path, ship.files[path], cache, tell);
    const [wasm, compareBytes, ...parts] = await Promise.all(wanted.map(load));
    postMessage({ progress: { done: total, total, what: "starting" } });
    ort.env.wasm.wasmBinary = wasm;
    ort.env.wasm.wasmPaths = { mjs: new URL(ship.runtime.glue, base).href };
    ort.env.wasm.numThreads = self.crossOriginIsolated
      ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1)
      : 1;
    ort.env.logLevel = "error";
    const model = joined(parts);
    prototypes = storedPrototypes(model, ship.recognizer.prototypes);
    recognizer = await session(model);
    compare = await session(new Uint8Array(compareBytes));
    return { threads: ort.env.wasm.numThreads };
  },

  /**
   * What the visitor taught: embeddings of people's photos and to whom each belongs, and faces that
   * are not a certain person.
   */
  visitors(taught) {
    visitors = taught.people || taught.negativeOf.length ? taught : null;
  },

  async identify({ photo, crops, top }) {
    const pixels = await pixelsOf(photo, enough);
    const found = await look(pixels, visitors ? FOUND : [...FOUND, ...NAMED]);
    const named = visitors ? await namedByAll(found.embeddings) : found;
    const faces = [];
    for (let index = 0; index < found.scores.dims[0]; index += 1) {
      faces.push(await face(index, found, named, pixels, crops, top));
    }
    return { width: pixels.full[0], height: pixels.full[1], faces };
  },

  /** The embedding of the face under a box, straight and in a mirror, for a person to be added. */
  async sighting({ photo, box }) {
    const pixels = await pixelsOf(photo, enough);
    const seen = await look(pixels, ["boxes", "embeddings"]);
    const scaled = box.map((side) => side * pixels.scale);
    const index = overlapping(seen.boxes, scaled);
    if (index === null) return null;
    const there = row(seen.boxes, index);
    const turned = await look(mirrored(pixels), ["boxes", "embeddings"]);
    const other = overlapping(turned.boxes, [
      pixels.width - there[2],
      there[1],
      pixels.width - there[0],
      there[3],
    ]);
    const embedding = Float32Array.from(row(seen.embeddings, index));
    return {
      embedding,
      mirror: other === null ? embedding : Float32Array.from(row(turned.embeddings, other)),
    };
  },
};

function session(bytes) {
  return ort.InferenceSession.create(bytes, {
    executionProviders: ["wasm"],
    enableMemPattern: false,
    logSeverityLevel: 3,
  });
}

function joined(parts) {
  if (parts.length === 1) return new Uint8Array(parts[0]);
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  return whole;
}

/** The prototypes of the recognizer's people as they lie in its file, (D, P) float32. */
function storedPrototypes(model, { offset, dimension, people }) {
  const bytes = model.slice(offset, offset + 4 * dimension * people);
  return new ort.Tensor("float32", new Float32Array(bytes.buffer), [dimension, people]);
}

async function look({ data, width, height }, wanted) {
  const image = new ort.Tensor("uint8", data, [height, width, 3]);
  return recognizer.run({ image }, wanted);
}

function namedByAll(embeddings) {
  const dimension = embeddings.dims[1];
  const rows = (values) =>
    new ort.Tensor("float32", values, [values.length / dimension, dimension]);
  const whole = (values, shape = [values.length]) =>
    new ort.Tensor("int64", BigInt64Array.from(values, BigInt), shape);
  return compare.run({
    embeddings,
    prototypes,
    visitors: rows(visitors.embeddings),
    mirrors: rows(visitors.mirrors),
    owners: whole(visitors.owners),
    added: whole([visitors.people], []),
    negatives: rows(visitors.negatives),
    negative_of: whole(visitors.negativeOf),
  });
}

async function face(index, found, named, { scale }, crops, top) {
  const whole = (values) => Array.from(values, (value) => value / scale);
  const points = whole(row(found.points, index));
  const candidates = Array.from(row(named.candidates, index), Number);
  return {
    box: whole(row(found.boxes, index)),
    points: [0, 1, 2, 3, 4].map((point) => points.slice(2 * point, 2 * point + 2)),
    score: found.scores.data[index],
    person: Number(named.person.data[index]),
    candidates: candidates.slice(0, top).map((person, place) => ({
      person,
      similarity: row(named.similarities, index)[place],
      probability: row(named.probabilities, index)[place],
    })),
    crop: crops ? await cropPicture(row(found.crops, index), CROP_SIDE) : null,
    embedding: Float32Array.from(row(found.embeddings, index)),
  };
}

/** One row of a tensor's first axis, flat. */
function row(tensor, index) {
  const size = tensor.dims.slice(1).reduce((product, side) => product * side, 1);
  return tensor.data.subarray(index * size, (index + 1) * size);
}

/** The index of the box that shares most with `wanted`; null where none shares enough. */
function overlapping(boxes, wanted) {
  let best = null;
  let most = SAME_FACE;
  for (let index = 0; index < boxes.dims[0]; index += 1) {
    const shared = overlap(row(boxes, index), wanted);
    if (shared > most) [best, most] = [index, shared];
  }
  return best;
}

function overlap(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return (width * height) / (area(a) + area(b) - width * height);
}

// One question after the other: a session answers one at a time.
let last = Promise.resolve();
addEventListener("message", ({ data: { id, does, ...asked } }) => {
  last = last.then(async () => {
    try {
      postMessage({ id, answer: await DOES[does](asked) });
    } catch (error) {
      const {
        message,
        hint = "",
        kind = "failed",
      } = error instanceof Error ? error : new Error(String(error));
      postMessage({ id, failed: { message, hint, kind } });
    }
  });
});
