/** Many photos of one person: chosen or dropped, then learned one by one, each with why or why not. */

import { fill, h, progressBar } from "./dom.js";
import { icon } from "./icons.js";
import { choose, isPhoto, takeDrops } from "../photos.js";
import { alertReaders } from "./toast.js";
import { takePhoto } from "../camera/take-photo.js";
import { count } from "../words.js";

/** What a refusal is called; the server's own sentence follows with its numbers. */
const REASONS = {
  unreadable: "Not a photo that can be read",
  "no-face": "No face found",
  "several-faces": "Several faces",
  "low-quality": "Too poor a picture",
  disagrees: "Does not look like the other photos",
  "like-somebody-else": "Looks like somebody else",
  "rejected-before": "Said before to be somebody else",
  "already-enrolled": "Already there",
};

/** Refusals that a person may overrule; a photo without a face is not one of them. */
const SANE_TO_FORCE = new Set([
  "several-faces",
  "low-quality",
  "disagrees",
  "like-somebody-else",
  "rejected-before",
]);

export class PhotoAdder {
  #api;
  #items = [];
  #list = h("ul", { class: "taken-list" });
  #says = h("p", { class: "soft", role: "status" });
  #bar = progressBar("Photos learned");
  #onChange;
  #personId = null;

  /** `api` is the engine's `people`; `onChange()` is called when photos come or are learned. */
  constructor(api, { onChange = () => {} } = {}) {
    this.#api = api;
    this.#onChange = onChange;
    const chooser = h(
      "button",
      {
        class: "button",
        type: "button",
        on: { click: () => choose().then((files) => this.add(files)) },
      },
      icon("photo"),
      "Choose photos",
    );
    const shutter = h(
      "button",
      {
        class: "button",
        type: "button",
        on: { click: () => takePhoto().then((file) => file && this.add([{ file }])) },
      },
      icon("camera"),
      "Take a photo",
    );
    const zone = h(
      "div",
      { class: "drop-zone" },
      icon("upload"),
      h("p", {}, "Drop photos of this one person here"),
      h(
        "p",
        { class: "soft little" },
        "A handful from different days works best: other light, other sides, with and without glasses.",
      ),
      h("div", { class: "acts" }, chooser, shutter),
    );
    takeDrops(zone, (files) => this.add(files));
    this.#bar.element.hidden = true;
    this.element = h("div", { class: "stack" }, zone, this.#bar.element, this.#says, this.#list);
  }

  get waiting() {
    return this.#items.filter(({ state }) => state === "waiting").length;
  }

  get taken() {
    return this.#items.filter(({ state }) => state === "taken").length;
  }

  add(files) {
    for (const { file } of files.filter(({ file }) => isPhoto(file))) {
      const item = {
        file,
        state: "waiting",
        row: h("li", { class: "taken-row" }),
        url: URL.createObjectURL(file),
      };
      this.#items.push(item);
      this.#list.append(item.row);
      this.#draw(item);
    }
    this.#tell();
    this.#onChange();
    if (this.#personId) this.learn(this.#personId);
  }

  /** Learn all that wait, as photos of this person; a promise of how many were taken. */
  async learn(personId) {
    this.#personId = personId;
    for (let item = this.#next(); item; item = this.#next()) await this.#learn(item, false);
    alertReaders(this.#says.textContent);
    return this.taken;
  }

  #next() {
    return this.#items.find(({ state }) => state === "waiting");
  }

  async #learn(item, force) {
    item.state = "sending";
    this.#draw(item);
    this.#tell();
    try {
      const { taken, reason, detail } = await this.#api.addPhoto(this.#personId, item.file, {
        force,
      });
      Object.assign(item, { state: taken ? "taken" : "refused", reason, detail });
    } catch (error) {
      Object.assign(item, {
        state: "failed",
        reason: "",
        detail: [error.message, error.hint].filter(Boolean).join(" "),
      });
    }
    this.#draw(item);
    this.#tell();
    this.#onChange();
  }

  #draw(item) {
    const marks = {
      waiting: [icon("clock"), "Waiting"],
      sending: [h("span", { class: "spinner" }), "Being looked at"],
      taken: [icon("check"), "Taken"],
      refused: [icon("cross"), REASONS[item.reason] ?? "Not taken"],
      failed: [icon("warn"), "Could not be sent"],
    };
    const [mark, words] = marks[item.state];
    item.row.className = `taken-row ${item.state}`;
    item.row.dataset.state = item.state;
    const again =
      item.state === "refused" && SANE_TO_FORCE.has(item.reason)
        ? "Take it anyway"
        : item.state === "failed"
          ? "Try again"
          : null;
    fill(
      item.row,
      h("img", {
        class: "portrait small",
        src: item.url,
        alt: "",
        on: {
          error: (event) =>
            event.target.replaceWith(
              h(
                "span",
                { class: "portrait small initials nobody", "aria-hidden": "true" },
                icon("photo"),
              ),
            ),
        },
      }),
      h(
        "div",
        { class: "taken-about" },
        h("p", { class: "file-name" }, item.file.name),
        h("p", { class: "taken-state" }, mark, words),
        item.detail ? h("p", { class: "soft little" }, item.detail) : null,
      ),
      again
        ? h(
            "button",
            {
              class: "button small",
              type: "button",
              on: { click: () => this.#learn(item, item.state === "refused") },
            },
            again,
          )
        : null,
      item.state === "waiting"
        ? h(
            "button",
            {
              class: "button quiet icon small",
              type: "button",
              "aria-label": `Leave out ${item.file.name}`,
              on: { click: () => this.#drop(item) },
            },
            icon("cross"),
          )
        : null,
    );
  }

  #drop(item) {
    this.#items.splice(this.#items.indexOf(item), 1);
    URL.revokeObjectURL(item.url);
    item.row.remove();
    this.#tell();
    this.#onChange();
  }

  #tell() {
    const by = (state) => this.#items.filter((item) => item.state === state).length;
    const over = by("taken") + by("refused") + by("failed");
    const going = by("sending") > 0;
    this.#bar.element.hidden = !going;
    this.#bar.set(over, this.#items.length);
    if (!this.#items.length) this.#says.textContent = "";
    else if (going)
      this.#says.textContent = `${over} of ${count(this.#items.length, "photo")} looked at`;
    else if (over)
      this.#says.textContent = `${by("taken")} taken${by("refused") ? `, ${by("refused")} not` : ""}${by("failed") ? `, ${by("failed")} could not be sent` : ""}.`;
    else this.#says.textContent = `${count(this.#items.length, "photo")} ready.`;
  }
}
