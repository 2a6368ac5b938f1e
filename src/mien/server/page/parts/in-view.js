/** The list beside the live video: people in view, and people seen before. */

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { duration, percent, certainty } from "../words.js";

const SIDE = 144; // pixels, side of a face's thumbnail
const MIN_FRAMES = 2; // frames after which a face is listed, so that single false detections are not

export class InView {
  #rows = new Map();
  #seen = new Map();
  #now = h("ul", { class: "in-view" });
  #before = h("ul", { class: "seen" });
  #beforeTitle = h("h3", { hidden: true }, "Seen before");
  #empty = h(
    "div",
    { class: "in-view-empty soft" },
    icon("people"),
    h("p", {}, "No person is in view. Step in front of the camera."),
  );
  #onName;
  #onEnter;

  /** `onName(track)` names an unknown face; null if not possible. `onEnter(name)` is called for each new person. */
  constructor({ onName = null, onEnter = () => {} } = {}) {
    this.#onName = onName;
    this.#onEnter = onEnter;
    this.element = h(
      "aside",
      { class: "card live-people", "aria-label": "People in view" },
      h("h2", {}, "In view"),
      this.#empty,
      this.#now,
      this.#beforeTitle,
      this.#before,
    );
  }

  /** Show these tracks; `frame` is the latest frame. */
  update(tracks, frame) {
    const steady = tracks.filter(({ frames }) => frames >= MIN_FRAMES);
    const ids = new Set(steady.map(({ id }) => id));
    for (const [id, row] of this.#rows) {
      if (!ids.has(id)) {
        row.element.remove();
        this.#rows.delete(id);
      }
    }
    for (const track of steady) {
      if (!this.#rows.has(track.id)) this.#enter(track);
      this.#refresh(this.#rows.get(track.id), track, frame);
    }
    this.#empty.hidden = steady.length > 0;
    this.#drawBefore(new Set(steady.map(({ name }) => name)));
  }

  clear() {
    this.#rows.clear();
    this.#seen.clear();
    fill(this.#now);
    fill(this.#before);
    this.#beforeTitle.hidden = true;
    this.#empty.hidden = false;
  }

  #enter(track) {
    const canvas = h("canvas", {
      class: "portrait",
      width: SIDE,
      height: SIDE,
      "aria-hidden": "true",
    });
    const row = {
      canvas,
      name: h("h3", {}),
      sure: h("p", { class: "sure" }),
      since: h("p", { class: "soft little" }),
      act: h("div"),
      shownName: undefined,
      track,
    };
    row.element = h(
      "li",
      { class: "in-view-row" },
      canvas,
      h("div", { class: "face-who" }, row.name, row.sure, row.since),
      row.act,
    );
    row.element.dataset.track = track.id;
    this.#rows.set(track.id, row);
    this.#now.append(row.element);
  }

  #refresh(row, track, frame) {
    row.track = track;
    row.since.textContent = `for ${duration((track.time - track.first) / 1000)}`;
    if (track.name !== null) {
      const known = this.#seen.get(track.name) ?? { first: track.time };
      this.#seen.set(track.name, { first: known.first, last: Date.now(), canvas: row.canvas });
      row.sure.textContent = `${certainty(track.probability)} · ${percent(track.probability)}`;
    } else row.sure.textContent = "Not a known person";
    if (
      track.time === frame.time &&
      (row.shownName !== track.name || !row.shot || track.time - row.shot > 2000)
    ) {
      picture(row.canvas, frame, track.measured);
      row.shot = track.time;
    }
    if (row.shownName === track.name) return;
    row.shownName = track.name;
    row.name.textContent = track.name ?? "Unknown";
    row.element.classList.toggle("unknown", track.name === null);
    if (track.name !== null) this.#onEnter(track.name);
    const nameable = track.name === null && this.#onName;
    fill(
      row.act,
      nameable
        ? h(
            "button",
            { class: "button small", type: "button", on: { click: () => this.#onName(row.track) } },
            icon("pencil"),
            "Name",
          )
        : null,
    );
  }

  #drawBefore(present) {
    const gone = [...this.#seen]
      .filter(([name]) => !present.has(name))
      .sort((a, b) => b[1].last - a[1].last)
      .slice(0, 8);
    this.#beforeTitle.hidden = !gone.length;
    const texts = gone.map(([name, { last }]) => `${name}|${duration((Date.now() - last) / 1000)}`);
    if (texts.join() === this.#before.dataset.says) return;
    this.#before.dataset.says = texts.join();
    fill(
      this.#before,
      gone.map(([name, { last }]) =>
        h(
          "li",
          {},
          h("span", {}, name),
          h("span", { class: "soft little" }, `${duration((Date.now() - last) / 1000)} ago`),
        ),
      ),
    );
  }
}

/** Draw the face in `box` (pixels of the video), with a margin, onto a square canvas. */
function picture(canvas, frame, box) {
  const [left, top, right, bottom] = box.map((side) => side * frame.scale);
  const side = 1.45 * Math.max(right - left, bottom - top);
  const x = (left + right - side) / 2;
  const y = (top + bottom - side) / 2;
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, SIDE, SIDE);
  pen.drawImage(frame.canvas, x, y, side, side, 0, 0, SIDE, SIDE);
}
