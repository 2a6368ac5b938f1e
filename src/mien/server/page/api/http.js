/** Requests to the server that serves the page: JSON in, JSON out, problems as errors. */

import { EngineError } from "./engine.js";

const KINDS = { 401: "signed-out", 403: "forbidden", 429: "busy", 503: "busy" };

/** A connection; it remembers the token that state-changing requests must carry. */
export class Connection {
  csrf = "";
  /** Called when the server no longer knows us. */
  onSignedOut = () => {};

  get(path, { signal } = {}) {
    return this.#send("GET", path, null, { signal });
  }

  /** Send JSON, or a form as it is; `onUpload(sent, total)` hears how far the body is. */
  send(method, path, body = null, options = {}) {
    return this.#send(method, path, body, options);
  }

  /** XMLHttpRequest, as only it tells how much of a body has left. */
  #send(method, path, body, { signal, onUpload } = {}) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open(method, path);
      request.setRequestHeader("Accept", "application/json");
      if (method !== "GET" && this.csrf) request.setRequestHeader("X-CSRF-Token", this.csrf);
      let payload = body;
      if (body !== null && !(body instanceof FormData)) {
        request.setRequestHeader("Content-Type", "application/json");
        payload = JSON.stringify(body);
      }
      if (onUpload)
        request.upload.addEventListener("progress", (event) =>
          onUpload(event.loaded, event.lengthComputable ? event.total : NaN),
        );
      const abort = () => request.abort();
      signal?.addEventListener("abort", abort, { once: true });
      request.addEventListener("loadend", () => signal?.removeEventListener("abort", abort));
      request.addEventListener("abort", () => reject(new DOMException("given up", "AbortError")));
      request.addEventListener("error", () =>
        reject(
          new EngineError("The server does not answer.", {
            kind: "offline",
            hint: "Is it still running? Your work on this page is kept.",
          }),
        ),
      );
      request.addEventListener("load", () => {
        const answer = parse(request);
        if (request.status >= 200 && request.status < 300) resolve(answer);
        else {
          if (request.status === 401) this.onSignedOut();
          reject(problem(request, answer));
        }
      });
      if (signal?.aborted) reject(new DOMException("given up", "AbortError"));
      else request.send(payload);
    });
  }
}

function parse(request) {
  if (!/json/.test(request.getResponseHeader("Content-Type") ?? "")) return null;
  try {
    return JSON.parse(request.responseText);
  } catch {
    return null;
  }
}

/** A problem document (RFC 9457), or a bare status, as an error. */
function problem(request, answer) {
  const retryAfter = Number(request.getResponseHeader("Retry-After")) || 0;
  const kind = KINDS[request.status] ?? (request.status < 500 ? "refused" : "failed");
  const busy = kind === "busy" ? "The server is busy." : `The server answered ${request.status}.`;
  return problemError(answer, { kind, retryAfter, otherwise: busy });
}

/** The error that a problem document tells. */
export function problemError(
  document,
  { kind = "refused", retryAfter = 0, otherwise = "It could not be done." } = {},
) {
  const text =
    typeof document?.detail === "string" ? document.detail : (document?.title ?? otherwise);
  return new EngineError(sentence(text), {
    hint: sentence(document?.hint ?? ""),
    kind,
    retryAfter,
    evidence: document?.evidence ?? null,
  });
}

/** "no face found" → "No face found." */
export function sentence(text) {
  if (!text) return "";
  const first = text[0].toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
