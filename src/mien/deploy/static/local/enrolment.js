/** Checks before a name or a photo of the visitor is stored. */

import { EngineError } from "../api/engine.js";

const MAX_NAME_LENGTH = 200;

/** An error that the page shows with its hint. */
export const refused = (message, hint = "", evidence = null) =>
  new EngineError(message, { hint, kind: "refused", evidence });

/** Why a photo cannot be enrolled, or null. The names come from the recognizer's graph. */
export function findObjection({ faces, sample, named }, person, { force, known }) {
  if (!faces.length) return { reason: "no-face", detail: "No face was found in this photo." };
  if (!sample)
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

/** A name in its normal form; an error if it is empty or too long. */
export function checkedName(name) {
  const normal = typeof name === "string" ? name.normalize("NFC").trim() : "";
  if (!normal || normal.length > MAX_NAME_LENGTH)
    throw refused("A person needs a name.", `Up to ${MAX_NAME_LENGTH} characters.`);
  return normal;
}
