/**
 * Tracking of people from frame to frame.
 *
 * A frame is a list of faces with boxes and names at a time in milliseconds. A track is one person
 * over many frames: its box is smoothed and predicted between frames, and its name is the weighted
 * majority of the frames, so that one wrong frame does not rename the person.
 */

const SMOOTHING_MS = 90; // time constant: the drawn box moves 63 % of the way to the face in this time
const COAST_MS = 350; // a box moves on in its direction for this time after its last frame
const FORGET_MS = 900; // a track ends if its face is missing for this time …
const FORGET_FRAMES = 2; // … and in this many frames, so that slow frames do not end tracks
const STALLED_MS = 5000; // all tracks end after this time without a frame
const MEMORY_MS = 2500; // a frame votes for a name for this time; the weight halves every third of it
const MIN_OVERLAP = 0.12;
const VELOCITY_SHARE = 0.5;

/** Intersection over union of two xyxy boxes. */
export function overlap(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  const both = width * height;
  return both / (area(a) + area(b) - both);
}

/** How well a face matches a track: by overlap, or by distance if it moved fast. */
function affinity(predicted, face) {
  const shared = overlap(predicted, face);
  if (shared >= MIN_OVERLAP) return 1 + shared;
  const side = Math.max(predicted[2] - predicted[0], face[2] - face[0], 1);
  const away =
    Math.hypot(
      predicted[0] + predicted[2] - face[0] - face[2],
      predicted[1] + predicted[3] - face[1] - face[3],
    ) / 2;
  const sizes = (predicted[2] - predicted[0]) / Math.max(1, face[2] - face[0]);
  return away < side && sizes > 0.5 && sizes < 2 ? 1 - away / side : 0;
}

/** One person in view. `box` is the drawn box; `name` null is unknown. */
class Track {
  constructor(id, face, time) {
    this.id = id;
    this.box = [...face.box];
    this.first = time;
    this.frames = 0;
    this.missed = 0; // consecutive frames without its face
    this.name = null;
    this.face = face;
    this.measured = [...face.box];
    this.velocity = [0, 0, 0, 0];
    this.time = time;
    this.votes = [];
    this.addFace(face, time);
  }

  addFace(face, time) {
    const passed = time - this.time;
    if (passed > 0) {
      this.velocity = this.velocity.map(
        (old, side) =>
          old + VELOCITY_SHARE * ((face.box[side] - this.measured[side]) / passed - old),
      );
    }
    this.measured = [...face.box];
    this.time = time;
    this.frames += 1;
    this.face = face;
    this.votes.push({
      time,
      name: face.name,
      weight: face.name === null ? 1 - face.probability : face.probability,
      face,
    });
    this.votes = this.votes.filter((vote) => time - vote.time <= MEMORY_MS);
    this.#chooseName(time);
  }

  /** Choose the name by votes: newer and more certain frames weigh more; the current name has a bonus. */
  #chooseName(time) {
    const shares = new Map();
    for (const vote of this.votes) {
      const weight = Math.max(0.05, vote.weight) * 0.5 ** ((3 * (time - vote.time)) / MEMORY_MS);
      shares.set(vote.name, (shares.get(vote.name) ?? 0) + weight);
    }
    const current = (shares.get(this.name) ?? 0) * 1.25;
    const [best, share] = [...shares].sort((a, b) => b[1] - a[1])[0];
    if (this.frames === 1 || share > current) this.name = best;
    const mine = this.votes.filter((vote) => vote.name === this.name);
    this.probability = mine.length
      ? mine.reduce((sum, vote) => sum + vote.face.probability, 0) / mine.length
      : 0;
    this.face = mine.at(-1)?.face ?? this.face;
  }

  /** The predicted box at a time, extrapolated for a short while. */
  predict(time) {
    const ahead = Math.min(Math.max(0, time - this.time), COAST_MS);
    return this.measured.map((side, index) => side + this.velocity[index] * ahead);
  }

  /** Move the drawn box towards the predicted one; `passed` milliseconds after the last call. */
  ease(time, passed) {
    const goal = this.predict(time);
    const share = 1 - Math.exp(-passed / SMOOTHING_MS);
    this.box = this.box.map((side, index) => side + (goal[index] - side) * share);
  }
}

/** Tracks the faces of a camera. */
export class Tracker {
  tracks = [];
  #nextId = 1;
  #lastEase = 0;
  #lastFrame = 0;

  /** Add the faces of a frame, taken at `time`. */
  addFrame(faces, time) {
    this.#lastFrame = time;
    const pairs = [];
    this.tracks.forEach((track, t) => {
      const predicted = track.predict(time);
      faces.forEach((face, f) => {
        const value =
          affinity(predicted, face.box) +
          (face.name !== null && face.name === track.name ? 0.25 : 0);
        if (value > 0.25) pairs.push({ value, t, f });
      });
    });
    pairs.sort((a, b) => b.value - a.value);
    const usedTracks = new Set();
    const usedFaces = new Set();
    for (const { t, f } of pairs) {
      if (usedTracks.has(t) || usedFaces.has(f)) continue;
      usedTracks.add(t);
      usedFaces.add(f);
      this.tracks[t].addFace(faces[f], time);
    }
    faces.forEach((face, f) => {
      if (!usedFaces.has(f)) this.tracks.push(new Track(this.#nextId++, face, time));
    });
    this.#settleNames();
    for (const track of this.tracks) track.missed = track.time === time ? 0 : track.missed + 1;
    this.tracks = this.tracks.filter(
      (track) => track.missed < FORGET_FRAMES || time - track.time <= FORGET_MS,
    );
    return this.tracks;
  }

  /** A person is in view once: of two tracks with one name the more certain keeps it. */
  #settleNames() {
    const owners = new Map();
    for (const track of this.tracks) {
      if (track.name === null) continue;
      const owner = owners.get(track.name);
      if (!owner) owners.set(track.name, track);
      else {
        const [loser, winner] =
          owner.probability >= track.probability ? [track, owner] : [owner, track];
        owners.set(track.name, winner);
        loser.name = null;
      }
    }
  }

  /** Move the drawn boxes to `time`; called for every animation frame. */
  ease(time) {
    const passed = this.#lastEase ? Math.min(200, Math.max(0, time - this.#lastEase)) : 0;
    this.#lastEase = time;
    if (time - this.#lastFrame > STALLED_MS) this.tracks = [];
    for (const track of this.tracks) track.ease(time, passed);
    return this.tracks;
  }

  clear() {
    this.tracks = [];
    this.#lastEase = 0;
    this.#lastFrame = 0;
  }
}
