/**
 * Interface between the views and what identifies faces: a server (engine-server.js) or a runtime in
 * the browser. Views use only an engine. What an engine cannot do is false in its `features`, and the
 * page does not show it.
 *
 * Boxes (xyxy) and points are in pixels of the upright photo. Probabilities and rates are in [0, 1].
 *
 * @typedef {object} Candidate
 * @property {string} name
 * @property {string|null} personId
 * @property {number} similarity  cosine: higher is more similar
 * @property {number} probability
 *
 * @typedef {object} Face
 * @property {number[]} box  x0, y0, x1, y1
 * @property {number[][]} points  eyes, nose, mouth corners
 * @property {number} score  confidence of the detector
 * @property {string|null} name  null: unknown
 * @property {string|null} personId
 * @property {number} probability
 * @property {number} similarity
 * @property {number|null} falsePositiveRate  how often a stranger gets such a score; null: unknown
 * @property {Candidate[]} candidates  best first
 * @property {string|null} crop  URL of the aligned crop
 * @property {string|null} token  identifies this face in a correction; short-lived
 *
 * @typedef {object} Answer
 * @property {number} width  of the upright photo
 * @property {number} height
 * @property {Face[]} faces
 *
 * @typedef {object} Features
 * @property {boolean} corrections  answers can be corrected
 * @property {boolean} people  people can be listed
 * @property {boolean} editPeople  people can be added, renamed, merged, forgotten
 * @property {boolean} train
 * @property {boolean} service  another recognizer can be put in service
 * @property {boolean} versions  trained recognizers can be listed and deleted
 * @property {boolean} sessions  signed-in browsers can be listed and signed out
 * @property {boolean} signOut
 *
 * @typedef {object} Engine
 * @property {Features} features  may change after `start`, `signIn` and `use`
 * @property {string} place  where photos are processed, to end the sentence "Photos are processed …"
 * @property {string[]} [privacy]  statements on privacy for About, if the engine is not a server
 * @property {() => Promise<boolean>} start  resolves to false if a key is required
 * @property {(key: string) => Promise<void>} [signIn]
 * @property {() => Promise<void>} [signOut]
 * @property {() => Promise<object[]>} recognizers  the recognizers with their descriptions
 * @property {object[]} listed  the last result of `recognizers`
 * @property {object|null} current  the selected recognizer
 * @property {(handle: string) => void} use  select a recognizer
 * @property {object} [people]  with `features.people`: see people-api.js; with `exported`, `imported`
 *   and `forgetAll` too, its people are stored in this browser
 * @property {object} [jobs]  with `features.train`: see jobs-api.js
 * @property {object} [versions]  with `features.versions`: see keeping-api.js
 * @property {object} [sessions]  with `features.sessions`: see keeping-api.js
 * @property {(photo: Blob, options?: {crops?: boolean, top?: number, signal?: AbortSignal,
 *   onUpload?: (sent: number, total: number) => void}) => Promise<Answer>} identify
 * @property {(token: string, isNot: string) => Promise<void>} [isNot]
 * @property {(token: string, is: {id?: string, name?: string}) => Promise<void>} [is]
 */

/** An error with a message for the user. */
export class EngineError extends Error {
  /**
   * @param {string} message  what happened
   * @param {{hint?: string, kind?: string, retryAfter?: number, evidence?: any}} [more]  `kind` is one of
   *   "signed-out", "forbidden", "busy", "offline", "refused" or "failed"; `retryAfter` in seconds
   */
  constructor(message, { hint = "", kind = "failed", retryAfter = 0, evidence = null } = {}) {
    super(message);
    this.name = "EngineError";
    this.hint = hint;
    this.kind = kind;
    this.retryAfter = retryAfter;
    this.evidence = evidence;
  }
}

/** Whether an error is an abort by the page itself. */
export const wasAborted = (error) => error?.name === "AbortError";

/** Default features of an engine. */
export const NO_FEATURES = Object.freeze({
  corrections: false,
  people: false,
  editPeople: false,
  train: false,
  service: false,
  versions: false,
  sessions: false,
  signOut: false,
});

/** A face of the page from its JSON, as `/v1/identify` answers it. */
export function faceFrom(face) {
  return {
    box: face.box,
    points: face.points,
    score: face.score,
    name: face.name,
    personId: face.person_id ?? null,
    probability: face.probability,
    similarity: face.similarity,
    falsePositiveRate: face.false_positive_rate ?? null,
    candidates: face.candidates.map(
      ({ name, person_id: personId = null, similarity, probability }) => ({
        name,
        personId,
        similarity,
        probability,
      }),
    ),
    crop: face.crop ?? null,
    token: face.face_token ?? null,
  };
}
