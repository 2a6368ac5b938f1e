/** The card of a face: name, probability, candidates and corrections. */

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { personPicker } from "./person-picker.js";
import { errorNote } from "./toast.js";
import { falsePositiveText, percent, certainty, whyUnknown } from "../words.js";

/**
 * Make the card of a face.
 *
 * `correct` is null if the engine has no corrections, else `{isNot(face, person), is(face, person),
 * people()}`; the first two return promises, whose errors the card shows. `others` are the other
 * faces of the photo.
 */
export function faceCard(
  face,
  index,
  { correct = null, others = [], onHover = () => {}, onChoose = () => {} } = {},
) {
  const known = face.name !== null;
  const trouble = h("div", { class: "card-trouble" });
  const pickerSlot = h("div", { class: "card-picker" });
  const element = h(
    "article",
    {
      class: `card face-card ${known ? "known" : "unknown"}`,
      "aria-label": `Face ${index + 1}: ${face.name ?? "unknown"}`,
      on: { pointerenter: () => onHover(index), click: () => onChoose(index) },
    },
    h(
      "div",
      { class: "face-head" },
      face.crop
        ? h("img", {
            class: "portrait",
            src: face.crop,
            alt: `The aligned face of ${face.name ?? "an unknown person"}`,
          })
        : h("span", { class: "portrait initials no-person", "aria-hidden": "true" }, "?"),
      h(
        "div",
        { class: "face-who" },
        h("h2", {}, face.name ?? "Unknown"),
        known
          ? h(
              "p",
              { class: "sure" },
              h("b", {}, certainty(face.probability)),
              ` · ${percent(face.probability)}`,
            )
          : h("p", { class: "sure" }, h("b", {}, "Not a known person")),
        h(
          "p",
          { class: "soft little" },
          known ? falsePositiveText(face.falsePositiveRate) : whyUnknown(face, others),
        ),
      ),
    ),
    candidates(face, correct, (act) => run(act)),
    correct ? corrections(face, correct, pickerSlot, (act) => run(act)) : null,
    pickerSlot,
    trouble,
  );
  async function run(act) {
    element.setAttribute("aria-busy", "true");
    element.querySelectorAll("button").forEach((button) => {
      button.disabled = true;
    });
    try {
      await act();
      fill(trouble);
    } catch (error) {
      fill(trouble, errorNote(error));
    } finally {
      element.removeAttribute("aria-busy");
      element.querySelectorAll("button").forEach((button) => {
        button.disabled = false;
      });
    }
  }
  return element;
}

/** The candidates with bars and buttons to confirm one. */
function candidates(face, correct, run) {
  if (!face.candidates.length) return null;
  const rows = face.candidates.map((candidate, place) => {
    const right = face.name !== null && place === 0;
    const share = h("i");
    share.style.width = `${Math.max(1.5, 100 * candidate.probability)}%`;
    return h(
      "li",
      { class: `candidate ${right ? "right" : ""}` },
      h("span", { class: "candidate-name" }, candidate.name),
      h("span", { class: "candidate-bar", "aria-hidden": "true" }, share),
      h(
        "span",
        { class: "candidate-share", title: `Similarity ${candidate.similarity.toFixed(3)}` },
        percent(candidate.probability),
      ),
      correct && !right
        ? h(
            "button",
            {
              class: "button quiet small",
              type: "button",
              "aria-label": `This is ${candidate.name}`,
              on: {
                click: (event) => {
                  event.stopPropagation();
                  run(() => correct.is(face, { id: candidate.personId, name: candidate.name }));
                },
              },
            },
            "It’s them",
          )
        : correct
          ? h("span", { class: "candidate-tick", title: "Current answer" }, icon("check"))
          : null,
    );
  });
  const title = face.name === null ? "Most similar, but not similar enough" : "Most similar";
  return h(
    "div",
    { class: "candidates" },
    h("p", { class: "candidates-title" }, title),
    h("ol", { class: correct ? "correctable" : "" }, rows),
  );
}

/** The buttons "Not X" and "This is…". */
function corrections(face, correct, pickerSlot, run) {
  const other = h(
    "button",
    { class: "button small", type: "button", "aria-expanded": "false" },
    icon("pencil"),
    face.name === null ? "This is…" : "It’s someone else…",
  );
  other.addEventListener("click", (event) => {
    event.stopPropagation();
    const open = other.getAttribute("aria-expanded") === "false";
    other.setAttribute("aria-expanded", String(open));
    if (!open) return fill(pickerSlot);
    const picker = personPicker({
      label: "This is",
      people: correct.people(),
      onPick: (person) => run(() => correct.is(face, person)),
    });
    fill(pickerSlot, picker.element);
    return picker.focus();
  });
  const not =
    face.name === null
      ? null
      : h(
          "button",
          {
            class: "button small",
            type: "button",
            on: {
              click: (event) => {
                event.stopPropagation();
                run(() => correct.isNot(face, { id: face.personId, name: face.name }));
              },
            },
          },
          icon("cross"),
          `Not ${face.name}`,
        );
  return h("div", { class: "acts face-acts" }, not, other);
}
