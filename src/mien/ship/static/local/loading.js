/** What the visitor sees while the recognizer comes: how much of it is here, and what for. */

import { h, progressBar } from "../dom.js";

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

export class Loading {
  #bar = progressBar("Loading the recognizer");
  #text = h("p", { class: "muted" }, "Loading the recognizer…");
  #element = h("section", { class: "loading", role: "status" }, this.#text, this.#bar.element);

  constructor() {
    document.body.append(this.#element);
  }

  show({ done, total, what }) {
    const starting = what === "starting";
    this.#text.textContent = starting
      ? "Starting the recognizer…"
      : `Loading the recognizer: ${megabytes(done)} of ${megabytes(total)}. It stays in this browser.`;
    this.#bar.set(done, starting ? null : total);
  }

  end() {
    this.#element.remove();
  }

  fail(error) {
    this.#text.textContent = `${error.message} ${error.hint ?? ""}`.trim();
    this.#bar.element.remove();
    this.#element.classList.add("failed");
  }
}
