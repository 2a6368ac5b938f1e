/** Short messages and notes, also for screen readers. */

import { h } from "./dom.js";
import { icon } from "./icons.js";

const SHOWN_MS = 5000;

/** Show a message for a few seconds. */
export function toast(text, picture = "check") {
  const element = h("div", { class: "toast" }, icon(picture), h("span", {}, text));
  const container = document.getElementById("toasts");
  container.append(element);
  while (container.children.length > 3) container.firstElementChild.remove();
  setTimeout(() => element.remove(), SHOWN_MS);
}

/** Announce a text to screen readers. */
export function announce(text) {
  document.getElementById("alerts").textContent = text;
}

/** A permanent note; `kind` is bad, warn, good or empty. */
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

/** The note of an error, with a button to retry if `retry` is given. */
export function errorNote(error, retry = null) {
  const acts = retry
    ? [h("button", { class: "button small", type: "button", on: { click: retry } }, "Try again")]
    : [];
  const wait = error.retryAfter ? `Try again in ${Math.ceil(error.retryAfter)} s.` : "";
  return note("bad", error.message, { hint: [error.hint, wait].filter(Boolean).join(" "), acts });
}
