/** Short messages that come and go, spoken to screen readers too. */

import { h } from "./dom.js";
import { icon } from "./icons.js";

const SHOWN_MS = 5000;

/** Say that something was done. */
export function toast(text, picture = "check") {
  const element = h("div", { class: "toast" }, icon(picture), h("span", {}, text));
  const shelf = document.getElementById("toasts");
  shelf.append(element);
  while (shelf.children.length > 3) shelf.firstElementChild.remove();
  setTimeout(() => element.remove(), SHOWN_MS);
}

/** Say something to screen readers only, at once. */
export function alertReaders(text) {
  document.getElementById("alerts").textContent = text;
}

/** A note that stays: `kind` is bad, warn, good or empty. */
export function note(kind, text, { hint = "", acts = [], picture } = {}) {
  const pictures = { bad: "warn", warn: "warn", good: "check" };
  return h(
    "div",
    { class: `note ${kind}`, role: kind === "bad" ? "alert" : null },
    icon(picture ?? pictures[kind] ?? "about"),
    h(
      "div",
      {},
      h("p", {}, text),
      hint ? h("p", { class: "soft" }, hint) : null,
      acts.length ? h("div", { class: "acts" }, acts) : null,
    ),
  );
}

/** The note for an error, with a way to try again where there is one. */
export function errorNote(error, retry = null) {
  const acts = retry
    ? [h("button", { class: "button small", type: "button", on: { click: retry } }, "Try again")]
    : [];
  const wait = error.retryAfter ? `Try again in ${Math.ceil(error.retryAfter)} s.` : "";
  return note("bad", error.message, { hint: [error.hint, wait].filter(Boolean).join(" "), acts });
}
