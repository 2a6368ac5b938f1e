/** Enrols photos of one person: chosen or dropped, then sent one by one, each with its result. */

import { fill, h, progressBar } from "./dom.js";
import { icon } from "./icons.js";
import { choose, isPhoto, acceptDrops } from "../photos.js";
import { announce } from "./toast.js";
import { takePhoto } from "../camera/take-photo.js";
import { count } from "../words.js";

/** Failed enrolment checks in words; the message of the server follows with details. */
const REASONS = {
  unreadable: "Photo cannot be read",
  "no-face": "No face found",
  "several-faces": "Several faces",
  "low-quality": "Quality too low",
  disagrees: "Does not look like the other photos",
  "like-somebody-else": "Looks like another person",
  "rejected-before": "Was corrected to another person before",
  "already-enrolled": "Already enrolled",
};

/** Failed checks that the user may overrule; a photo without a face is not one of them. */
const CAN_FORCE = new Set([
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
  #status = h("p", { class: "soft", role: "status" });
  #bar = progressBar("Photos enrolled");
  #onChange;
  #personId = null;

  /** `api` is the engine's `people`; `onChange()` is called when photos are added or enrolled. */
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
    acceptDrops(zone, (files) => this.add(files));
    this.#bar.element.hidden = true;
    this.element = h("div", { class: "stack" }, zone, this.#bar.element, this.#status, this.#list);
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
    this.#showProgress();
    this.#onChange();
    if (this.#personId) this.enrol(this.#personId);
  }

  /** Enrol all waiting photos for this person; resolves to the number of enrolled photos. */
  async enrol(personId) {
    this.#personId = personId;
    for (let item = this.#next(); item; item = this.#next()) await this.#enrol(item, false);
    announce(this.#status.textContent);
    return this.taken;
  }

  #next() {
    return this.#items.find(({ state }) => state === "waiting");
  }

  async #enrol(item, force) {
    item.state = "sending";
    this.#draw(item);
    this.#showProgress();
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
    this.#showProgress();
    this.#onChange();
  }

  #draw(item) {
    const marks = {
      waiting: [icon("clock"), "Waiting"],
      sending: [h("span", { class: "spinner" }), "Processing"],
      taken: [icon("check"), "Enrolled"],
      refused: [icon("cross"), REASONS[item.reason] ?? "Not enrolled"],
      failed: [icon("warn"), "Could not be sent"],
    };
    const [mark, words] = marks[item.state];
    item.row.className = `taken-row ${item.state}`;
    item.row.dataset.state = item.state;
    const again =
      item.state === "refused" && CAN_FORCE.has(item.reason)
        ? "Enrol it anyway"
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
                { class: "portrait small initials no-person", "aria-hidden": "true" },
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
              on: { click: () => this.#enrol(item, item.state === "refused") },
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
              "aria-label": `Remove ${item.file.name}`,
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
    this.#showProgress();
    this.#onChange();
  }

  #showProgress() {
    const by = (state) => this.#items.filter((item) => item.state === state).length;
    const finished = by("taken") + by("refused") + by("failed");
    const sending = by("sending") > 0;
    this.#bar.element.hidden = !sending;
    this.#bar.set(finished, this.#items.length);
    if (!this.#items.length) this.#status.textContent = "";
    else if (sending)
      this.#status.textContent = `${finished} of ${count(this.#items.length, "photo")} processed`;
    else if (finished)
      this.#status.textContent = `${by("taken")} enrolled${by("refused") ? `, ${by("refused")} not` : ""}${by("failed") ? `, ${by("failed")} could not be sent` : ""}.`;
    else this.#status.textContent = `${count(this.#items.length, "photo")} ready.`;
  }
}
