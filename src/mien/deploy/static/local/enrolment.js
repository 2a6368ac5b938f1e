/** Checks before a name or a photo of the visitor is kept. */

import { EngineError } from "../api/engine.js";

const LONGEST_NAME = 200;

/** An error that the page shows with its hint. */
export const refused = (message, hint = "", evidence = null) =>
  new EngineError(message, { hint, kind: "refused", evidence });

/** Why a photo is not taken; that a face looks like somebody, or like nobody, is the graph's word. */
export function whyNot({ faces, sighting, named }, person, { force, known }) {
  if (!faces.length) return { reason: "no-face", detail: "No face was found in this photo." };
  if (!sighting)
    return {
      reason: "several-faces",
      detail: `There are ${faces.length} faces in this photo: choose a photo of one person.`,
      evidence: { boxes: faces.map(({ box }) => box) },
    };
  if (named && named !== person.name && !force)
    return {
      reason: "like-somebody-else",
      detail: `This face looks like ${named}.`,
      evidence: { name: named },
    };
  if (known && named === null && !force)
    return {
      reason: "disagrees",
      detail: `This face does not look like the other photos of ${person.name}.`,
    };
  return null;
}

/** A name in its normal form; refused when it is empty or too long. */
export function checkedName(name) {
  const called = typeof name === "string" ? name.normalize("NFC").trim() : "";
  if (!called || called.length > LONGEST_NAME)
    throw refused("A person needs a name.", `Up to ${LONGEST_NAME} characters.`);
  return called;
}
