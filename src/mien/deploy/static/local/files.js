/** The page's own files: fetched once, verified by the digests in ship.json, and cached. */

/** The cache that the service worker of this version serves from, or null where there is none. */
export async function cacheOf(base, version) {
  try {
    return await caches.open(`mien:${base}:${version}`);
  } catch {
    return null; // no secure context, or storage is blocked: the page works only online
  }
}

/** Hex sha256 of bytes; null where the browser has no digests (pages that are not secure). */
export async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Return the bytes of one file of the page.
 *
 * `entry` is its `{bytes, sha256}` from ship.json; `onBytes` is called with the number of bytes that
 * arrived since the last call. Bytes with another digest are an error: the site was replaced while
 * the page loaded, or is damaged.
 */
export async function loadFile(base, path, entry, cache, onBytes = () => {}) {
  const url = new URL(path, base).href;
  const kept = await cache?.match(url);
  const response = kept ?? (await fetch(url, { credentials: "omit" }));
  if (!response.ok)
    throw new Error(`${path} is missing from this site (status ${response.status}).`);
  const bytes = await read(response, entry.bytes, onBytes);
  const digest = await sha256(bytes);
  if (bytes.byteLength !== entry.bytes || (digest !== null && digest !== entry.sha256)) {
    await cache?.delete(url);
    throw new Error(`${path} is not the file this page was made with. Load the page again.`);
  }
  if (cache && !kept) await store(cache, url, bytes, response.headers.get("Content-Type"));
  return bytes;
}

async function read(response, size, onBytes) {
  const whole = new Uint8Array(size);
  let done = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done: end, value } = await reader.read();
    if (end) break;
    if (done + value.length > size)
      throw new Error("A file of this site is longer than ship.json says.");
    whole.set(value, done);
    done += value.length;
    onBytes(value.length);
  }
  return whole.buffer.slice(0, done);
}

async function store(cache, url, bytes, type) {
  try {
    const headers = { "Content-Type": type ?? "application/octet-stream" };
    await cache.put(url, new Response(bytes, { headers }));
  } catch {
    // The browser's storage is full: the page works, but only online.
  }
}
