/**
 * What the page asks of whatever recognises faces: a server (engine-server.js), or a runtime in the
 * browser itself. Views talk to an engine and to nothing else; what an engine cannot do is false in
 * its `features`, and the page does not show it.
 *
 * Boxes and points are in pixels of the upright photo, xyxy. Probabilities and rates lie in [0, 1].
 *
 * @typedef {object} Candidate
 * @property {string} name
 * @property {string|null} personId
 * @property {number} similarity  cosine: higher is more alike
 * @property {number} probability
 *
 * @typedef {object} Face
 * @property {number[]} box  x0, y0, x1, y1
 * @property {number[][]} points  eyes, nose, mouth corners
 * @property {number} score  of the detector
 * @property {string|null} name  null: unknown
 * @property {string|null} personId
 * @property {number} probability
 * @property {number} similarity
 * @property {number|null} falsePositiveRate  how often a stranger would get such a score
 * @property {Candidate[]} candidates  best first
 * @property {string|null} crop  URL of the aligned crop
 * @property {string|null} token  names this face in a correction; short-lived
 *
 * @typedef {object} Answer
 * @property {number} width  of the upright photo
 * @property {number} height
 * @property {Face[]} faces
 *
 * @typedef {object} Features
 * @property {boolean} corrections  faces can be said to be, or not to be, a person
 * @property {boolean} people  people can be listed
 * @property {boolean} editPeople  people can be added, renamed, merged, forgotten
 * @property {boolean} train
 * @property {boolean} service  another recognizer can be put in service
 * @property {boolean} signOut
 *
 * @typedef {object} Engine
 * @property {Features} features  may change after `start`, `signIn` and `use`
 * @property {string} place  where photos are looked at, to end the sentence "Photos are looked at …"
 * @property {string[]} [privacy]  what is said of privacy under About, where it is no server
 * @property {() => Promise<boolean>} start  false: it wants a key first
 * @property {(key: string) => Promise<void>} [signIn]
 * @property {() => Promise<void>} [signOut]
 * @property {() => Promise<object[]>} recognizers  those to choose from, with what is known of each
 * @property {object[]} listed  what `recognizers` said last
 * @property {object|null} current  the one of them that answers
 * @property {(handle: string) => void} use  which of them answers from now on
 * @property {object} [people]  where `features.people`: see people-api.js; where it has `exported`,
 *   `imported` and `forgetAll` too, its people are kept in this browser
 * @property {object} [jobs]  where `features.train`: see jobs-api.js
 * @property {(photo: Blob, options?: {crops?: boolean, top?: number, signal?: AbortSignal,
 *   onUpload?: (sent: number, total: number) => void}) => Promise<Answer>} identify
 * @property {(token: string, isNot: string) => Promise<void>} [isNot]
 * @property {(token: string, is: {id?: string, name?: string}) => Promise<void>} [is]
 */

/** Something that went wrong, in words for the person at the page. */
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

/** Whether an error only says that the page itself gave up waiting. */
export const wasAborted = (error) => error?.name === "AbortError";

/** What each engine can do unless it says otherwise. */
export const NO_FEATURES = Object.freeze({
  corrections: false,
  people: false,
  editPeople: false,
  train: false,
  service: false,
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
