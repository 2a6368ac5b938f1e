/**
 * People followed from one look of the camera to the next.
 *
 * A look is a list of faces with boxes and names at a time in milliseconds. A track is one person
 * on the way through many looks: its box is smoothed and moves on between looks, and its name is
 * what most of its looks said, so that one unlucky frame renames nobody.
 */

const SMOOTHING_MS = 90; // the shown box comes 63 % nearer to where the face is in this time
const COAST_MS = 350; // how far past its last look a box goes on in its direction
const FORGET_MS = 900; // a face has left that was not seen for so long
const FORGET_LOOKS = 2; // and in so many looks: where looks are slow, nobody leaves between two
const STALLED_MS = 5000; // with no look for so long nothing is known any more
const MEMORY_MS = 2500; // how long a look votes for a name; its weight halves in a third of it
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

/** How well a face may be the next look of a track: overlap, or nearness for one that moved fast. */
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

/** One person in view. `box` is to be drawn; `name` null is unknown. */
class Track {
  constructor(id, face, time) {
    this.id = id;
    this.box = [...face.box];
    this.first = time;
    this.looks = 0;
    this.missed = 0; // looks in a row that did not show it
    this.name = null;
    this.face = face;
    this.measured = [...face.box];
    this.velocity = [0, 0, 0, 0];
    this.time = time;
    this.votes = [];
    this.take(face, time);
  }

  take(face, time) {
    const passed = time - this.time;
    if (passed > 0) {
      this.velocity = this.velocity.map(
        (old, side) =>
          old + VELOCITY_SHARE * ((face.box[side] - this.measured[side]) / passed - old),
      );
    }
    this.measured = [...face.box];
    this.time = time;
    this.looks += 1;
    this.face = face;
    this.votes.push({
      time,
      name: face.name,
      weight: face.name === null ? 1 - face.probability : face.probability,
      face,
    });
    this.votes = this.votes.filter((vote) => time - vote.time <= MEMORY_MS);
    this.#elect(time);
  }

  /** Name the track by its looks, newer and surer ones weighing more; keep the name on a tie. */
  #elect(time) {
    const shares = new Map();
    for (const vote of this.votes) {
      const weight = Math.max(0.05, vote.weight) * 0.5 ** ((3 * (time - vote.time)) / MEMORY_MS);
      shares.set(vote.name, (shares.get(vote.name) ?? 0) + weight);
    }
    const kept = (shares.get(this.name) ?? 0) * 1.25;
    const [best, share] = [...shares].sort((a, b) => b[1] - a[1])[0];
    if (this.looks === 1 || share > kept) this.name = best;
    const mine = this.votes.filter((vote) => vote.name === this.name);
    this.probability = mine.length
      ? mine.reduce((sum, vote) => sum + vote.face.probability, 0) / mine.length
      : 0;
    this.face = mine.at(-1)?.face ?? this.face;
  }

  /** Where the face should be at a time, carried on by its own movement for a short while. */
  predict(time) {
    const ahead = Math.min(Math.max(0, time - this.time), COAST_MS);
    return this.measured.map((side, index) => side + this.velocity[index] * ahead);
  }

  /** Bring the drawn box nearer to where the face is; `passed` milliseconds since the last time. */
  ease(time, passed) {
    const goal = this.predict(time);
    const share = 1 - Math.exp(-passed / SMOOTHING_MS);
    this.box = this.box.map((side, index) => side + (goal[index] - side) * share);
  }
}

/** Follows the faces of a camera. */
export class Tracker {
  tracks = [];
  #nextId = 1;
  #eased = 0;
  #looked = 0;

  /** Take in what one look found, at `time` (when the frame was taken). */
  look(faces, time) {
    this.#looked = time;
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
    const takenTracks = new Set();
    const takenFaces = new Set();
    for (const { t, f } of pairs) {
      if (takenTracks.has(t) || takenFaces.has(f)) continue;
      takenTracks.add(t);
      takenFaces.add(f);
      this.tracks[t].take(faces[f], time);
    }
    faces.forEach((face, f) => {
      if (!takenFaces.has(f)) this.tracks.push(new Track(this.#nextId++, face, time));
    });
    this.#settleNames();
    for (const track of this.tracks) track.missed = track.time === time ? 0 : track.missed + 1;
    this.tracks = this.tracks.filter(
      (track) => track.missed < FORGET_LOOKS || time - track.time <= FORGET_MS,
    );
    return this.tracks;
  }

  /** Nobody is in view twice: of two tracks with one name the surer keeps it. */
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

  /** Move the boxes to be drawn at `time`; call it for every picture on the screen. */
  ease(time) {
    const passed = this.#eased ? Math.min(200, Math.max(0, time - this.#eased)) : 0;
    this.#eased = time;
    if (time - this.#looked > STALLED_MS) this.tracks = [];
    for (const track of this.tracks) track.ease(time, passed);
    return this.tracks;
  }

  clear() {
    this.tracks = [];
    this.#eased = 0;
    this.#looked = 0;
  }
}
