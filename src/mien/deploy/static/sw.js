/**
 * Service worker: serves the whole site from this browser's cache, so that it works offline.
 *
 * A version is a list of files with their digests. It is installed completely or not at all: files
 * that an earlier version has with the same digest are copied from it, others are fetched and
 * verified. It becomes active when no page of the earlier version is open, or when a page that is
 * just opening requests it; then the earlier version is deleted.
 */

const VERSION = "{{version}}";
const FILES = "{{files}}"; // an object when deployed
const HEADERS = "{{headers}}"; // likewise

const BASE = registration.scope;
const PREFIX = `mien:${BASE}:`;
const CACHE = PREFIX + VERSION;

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(activate()));
addEventListener("message", ({ data }) => data === "take-over" && skipWaiting());
addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) {
    event.respondWith(Response.error()); // block every request that leaves this site
    return;
  }
  const path = pathOf(url);
  if (path in FILES) event.respondWith(respond(path));
});

async function install() {
  const cache = await caches.open(CACHE);
  const earlier = (await caches.keys()).filter((name) => name.startsWith(PREFIX));
  for (const [path, digest] of Object.entries(FILES)) {
    const url = new URL(path, BASE).href;
    if (!(await cached(cache, url, digest))) await add(cache, earlier, url, digest);
  }
}

async function add(cache, earlier, url, digest) {
  for (const name of earlier) {
    const kept = await cached(await caches.open(name), url, digest);
    if (kept) {
      await cache.put(url, kept);
      return;
    }
  }
  const response = await fetch(url, { cache: "no-cache", credentials: "omit" });
  const bytes = await response.arrayBuffer();
  if (!response.ok || (await sha256(bytes)) !== digest)
    throw new Error(`${url} is not of version ${VERSION}`);
  const headers = {
    "Content-Type": response.headers.get("Content-Type") ?? "application/octet-stream",
  };
  await cache.put(url, new Response(bytes, { headers }));
}

/** The cached response if its bytes have the digest, else null. */
async function cached(cache, url, digest) {
  const kept = await cache.match(url);
  if (!kept || (await sha256(await kept.clone().arrayBuffer())) !== digest) return null;
  return kept;
}

async function activate() {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
  }
  await clients.claim();
}

async function respond(path) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(new URL(path, BASE).href);
  if (!kept) return fetch(new URL(path, BASE)); // the browser has evicted the file
  const headers = new Headers(kept.headers);
  // Not every host can send these headers: threads need the first two.
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(kept.body, { status: 200, headers });
}

function pathOf(url) {
  const path = url.href.split(/[?#]/)[0];
  if (!path.startsWith(BASE)) return "";
  return decodeURIComponent(path.slice(BASE.length)) || "index.html";
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
