/** Embeddings as text, for export files, and as one array, for the worker. */

/** A string of at most 1000 characters; anything else is an empty one. */
export const text = (value) => (typeof value === "string" ? value.slice(0, 1000) : "");

/** Rows of `dimension` numbers, one after the other in one Float32Array. */
export function flat(rows, dimension) {
  const whole = new Float32Array(rows.length * dimension);
  rows.forEach((row, index) => whole.set(row, index * dimension));
  return whole;
}

/** The bytes of a Float32Array as base64. */
export function base64(row) {
  return btoa(String.fromCharCode(...new Uint8Array(row.buffer, row.byteOffset, row.byteLength)));
}

/** The unit vector in base64 text; null unless it has `dimension` numbers and length 1. */
export function unitRow(coded, dimension) {
  try {
    const bytes = Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
    if (bytes.length !== 4 * dimension) return null;
    const row = new Float32Array(bytes.buffer);
    return Math.abs(Math.hypot(...row) - 1) < 1e-3 ? row : null;
  } catch {
    return null;
  }
}
