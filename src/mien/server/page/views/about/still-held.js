/** What is left of a person who was forgotten: recognizers that were trained before. */

import { sheet } from "../../parts/dialog.js";
import { fill, h } from "../../parts/dom.js";
import { note } from "../../parts/toast.js";
import { moment } from "../../words.js";
import { deleteVersion } from "./versions.js";

const GIVEN = "given";

/** Show a dialog of what is left, with a button to delete each recognizer. */
export function showStillHeld(engine, name, { wiped, recognizers }) {
  const list = h("ul", { class: "versions" });
  const draw = (rows) =>
    fill(
      list,
      rows.map((row) => rowOf(engine, row, () => draw(rows.filter((other) => other !== row)))),
    );
  draw(recognizers);
  const body = [
    wiped
      ? null
      : note(
          "warn",
          "The bytes are still in the gallery’s file, as another program reads it. They are wiped when it closes.",
        ),
    recognizers.length
      ? h("p", { class: "soft" }, `These recognizers still know ${name}. They were made before.`)
      : null,
    list,
  ];
  const close = h("button", { class: "button main", type: "button" }, "Close");
  const shown = sheet(`What is left of ${name}`, body, { foot: [close] });
  close.addEventListener("click", () => shown.close());
}

function rowOf(engine, row, onDeleted) {
  const when = row.version === GIVEN ? "" : `trained ${moment(row.version.slice(0, 15))}`;
  const how = {
    face: `knows the face as ${row.name}`,
    unreadable: "cannot be read",
  }[row.by];
  return h(
    "li",
    {},
    h(
      "div",
      {},
      h("b", {}, row.handle),
      h("p", { class: "soft little" }, [when, how].filter(Boolean).join(", ")),
    ),
    actOf(engine, row, onDeleted),
  );
}

function actOf(engine, row, onDeleted) {
  const words = (text) => h("span", { class: "soft little" }, text);
  if (row.version === GIVEN) return words("a file of the server’s operator");
  if (row.inService) return words("in service: take it out of service first, under About");
  const remove = async () => (await deleteVersion(engine, row)) && onDeleted();
  return h(
    "button",
    { class: "button small danger", type: "button", on: { click: remove } },
    "Delete…",
  );
}
