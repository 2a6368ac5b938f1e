/**
 * The recognizer in a web worker, so that the page stays responsive.
 *
 * The graphs make every decision. The recognizer file names the people it knows; where the visitor
 * has added people, the graph `compare` names faces (the same stage, with those people as inputs).
 * This code passes pixels in and arrays out.
 */

import * as ort from "../runtime/ort.wasm.min.mjs";
import { cacheOf, loadFile } from "./files.js";
import { cropPicture, mirrored, pixelsOf } from "./pixels.js";

const CROP_SIDE = 112;
const MAX_THREADS = 4;
/** Two boxes with a larger intersection over union show the same face. */
const SAME_FACE_IOU = 0.4;
const COMPARED = ["candidates", "similarities", "probabilities", "person"];
const EMBEDDED = ["boxes", "points", "scores", "crops", "embeddings"];

let maxLongSide = 0;
let recognizer = null;
let compare = null;
let prototypes = null;
let visitors = null;

const OPERATIONS = {
  async load({ base, settings }) {
    maxLongSide = settings.recognizer.max_long_side;
    const cache = await cacheOf(base, settings.version);
    const paths = [settings.runtime.wasm, settings.compare.path, ...settings.recognizer.parts];
    const total = paths.reduce((sum, path) => sum + settings.files[path].bytes, 0);
    let done = 0;
    const onBytes = (more) =>
      postMessage({ progress: { done: (done += more), total, what: "loading" } });
    const load = (path) => loadFile(base, path, settings.files[path], cache, onBytes);
    const [wasm, compareBytes, ...parts] = await Promise.all(paths.map(load));
    postMessage({ progress: { done: total, total, what: "starting" } });
    ort.env.wasm.wasmBinary = wasm;
    ort.env.wasm.wasmPaths = { mjs: new URL(settings.runtime.glue, base).href };
    ort.env.wasm.numThreads = self.crossOriginIsolated
      ? Math.min(MAX_THREADS, navigator.hardwareConcurrency || 1)
      : 1;
    ort.env.logLevel = "error";
    const model = joined(parts);
    prototypes = storedPrototypes(model, settings.recognizer.prototypes);
    recognizer = await session(model);
    compare = await session(new Uint8Array(compareBytes));
    return { threads: ort.env.wasm.numThreads };
  },

  /**
   * Set the visitor's own people: embeddings of their photos with the index of the person, and
   * faces that are not a certain person.
   */
  setVisitors(arrays) {
    visitors = arrays.people || arrays.negativeOf.length ? arrays : null;
  },

  async identify({ photo, crops, top }) {
    const pixels = await pixelsOf(photo, maxLongSide);
    const found = await run(pixels, visitors ? EMBEDDED : [...EMBEDDED, ...COMPARED]);
    const named = visitors ? await compareWithAll(found.embeddings) : found;
    const faces = [];
    for (let index = 0; index < found.scores.dims[0]; index += 1) {
      faces.push(await face(index, found, named, pixels, crops, top));
    }
    return { width: pixels.full[0], height: pixels.full[1], faces };
  },

  /** The embeddings of the face at a box, of the photo and of its mirror image, for enrolment. */
  async sample({ photo, box }) {
    const pixels = await pixelsOf(photo, maxLongSide);
    const found = await run(pixels, ["boxes", "embeddings"]);
    const scaled = box.map((side) => side * pixels.scale);
    const index = overlapping(found.boxes, scaled);
    if (index === null) return null;
    const [x0, y0, x1, y1] = row(found.boxes, index);
    const mirror = await run(mirrored(pixels), ["boxes", "embeddings"]);
    const other = overlapping(mirror.boxes, [pixels.width - x1, y0, pixels.width - x0, y1]);
    const embedding = Float32Array.from(row(found.embeddings, index));
    return {
      embedding,
      mirror: other === null ? embedding : Float32Array.from(row(mirror.embeddings, other)),
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

/** The prototypes of the recognizer's people, read from the bytes of its file: (D, P) float32. */
function storedPrototypes(model, { offset, dimension, people }) {
  const bytes = model.slice(offset, offset + 4 * dimension * people);
  return new ort.Tensor("float32", new Float32Array(bytes.buffer), [dimension, people]);
}

async function run({ data, width, height }, outputs) {
  const image = new ort.Tensor("uint8", data, [height, width, 3]);
  return recognizer.run({ image }, outputs);
}

/** Compare with the people of the file and the visitor's own. */
function compareWithAll(embeddings) {
  const dimension = embeddings.dims[1];
  const rows = (values) =>
    new ort.Tensor("float32", values, [values.length / dimension, dimension]);
  const integers = (values, shape = [values.length]) =>
    new ort.Tensor("int64", BigInt64Array.from(values, BigInt), shape);
  return compare.run({
    embeddings,
    prototypes,
    visitors: rows(visitors.embeddings),
    mirrors: rows(visitors.mirrors),
    owners: integers(visitors.owners),
    added: integers([visitors.people], []),
    negatives: rows(visitors.negatives),
    negative_of: integers(visitors.negativeOf),
  });
}

async function face(index, found, named, { scale }, crops, top) {
  const fullSize = (values) => Array.from(values, (value) => value / scale);
  const points = fullSize(row(found.points, index));
  const candidates = Array.from(row(named.candidates, index), Number);
  return {
    box: fullSize(row(found.boxes, index)),
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

/** The index of the box with the largest overlap; null where none exceeds `SAME_FACE_IOU`. */
function overlapping(boxes, box) {
  let best = null;
  let largest = SAME_FACE_IOU;
  for (let index = 0; index < boxes.dims[0]; index += 1) {
    const overlap = iou(row(boxes, index), box);
    if (overlap > largest) [best, largest] = [index, overlap];
  }
  return best;
}

function iou(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return (width * height) / (area(a) + area(b) - width * height);
}

// One operation at a time: a session cannot run two at once.
let last = Promise.resolve();
addEventListener("message", ({ data: { id, operation, ...parameters } }) => {
  last = last.then(async () => {
    try {
      postMessage({ id, result: await OPERATIONS[operation](parameters) });
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
