/** Modal dialogs, based on the dialog element: focus stays inside, Escape closes. */

import { freshId, h } from "./dom.js";
import { icon } from "./icons.js";

/**
 * Open a dialog; returns `{element, close, closed}`; `closed` resolves to the argument of `close`.
 *
 * `foot` has the buttons. The focus returns to where it was.
 */
export function sheet(title, body, { foot = null, wide = false, onClose = () => {} } = {}) {
  const id = freshId("sheet");
  const before = document.activeElement;
  let answer = null;
  const close = (value = null) => {
    answer = value;
    element.close();
  };
  const element = h(
    "dialog",
    { class: `sheet ${wide ? "wide" : ""}`, "aria-labelledby": id },
    h(
      "div",
      { class: "sheet-head" },
      h("h2", { id }, title),
      h(
        "button",
        {
          class: "button quiet icon small",
          type: "button",
          "aria-label": "Close",
          on: { click: () => close() },
        },
        icon("cross"),
      ),
    ),
    h("div", { class: "sheet-body" }, body),
    foot ? h("div", { class: "sheet-foot" }, foot) : null,
  );
  const closed = new Promise((resolve) => {
    element.addEventListener("close", () => {
      element.remove();
      onClose();
      before?.focus?.({ preventScroll: true });
      resolve(answer);
    });
  });
  // A press that starts and ends on the backdrop closes the dialog.
  element.addEventListener("pointerdown", (event) => {
    if (event.target === element)
      element.addEventListener("pointerup", (up) => up.target === element && close(), {
        once: true,
      });
  });
  document.body.append(element);
  element.showModal();
  element.querySelector("[autofocus]")?.focus();
  return { element, close, closed };
}

/** Ask for confirmation; resolves to true or false. */
export function confirm({ title, text, yes, danger = true }) {
  const go = h("button", { class: `button main ${danger ? "danger" : ""}`, type: "button" }, yes);
  const stay = h("button", { class: "button", type: "button", autofocus: true }, "Cancel");
  const paragraphs = [text].flat().map((line) => h("p", { class: "soft" }, line));
  const { close, closed } = sheet(title, paragraphs, { foot: [stay, go] });
  go.addEventListener("click", () => close(true));
  stay.addEventListener("click", () => close(false));
  return closed.then(Boolean);
}
