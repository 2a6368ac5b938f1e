/** The view while the recognizer loads: progress in megabytes, and what happens to photos. */

import { fill, h, progressBar } from "../parts/dom.js";
import { icon } from "../parts/icons.js";

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

export class Loading {
  #bar = progressBar("Loading the recognizer");
  #text = h("p", { class: "soft", role: "status" }, "Loading the recognizer…");

  constructor() {
    fill(
      document.getElementById("app"),
      h(
        "main",
        { class: "alone", id: "view" },
        h("div", { class: "brand" }, icon("mark"), h("span", {}, "mien")),
        this.#bar.element,
        this.#text,
        h(
          "p",
          { class: "soft little" },
          "It is loaded once and then works without the network. Your photos stay in this browser.",
        ),
      ),
    );
  }

  show({ done, total, what }) {
    const starting = what === "starting";
    this.#text.textContent = starting
      ? "Starting the recognizer…"
      : `Loading the recognizer: ${megabytes(done)} of ${megabytes(total)}`;
    this.#bar.set(done, starting ? null : total);
  }
}
