/** Requests to the page's server: JSON in and out, problem documents as errors. */

import { EngineError } from "./engine.js";

const KINDS = { 401: "signed-out", 403: "forbidden", 429: "busy", 503: "busy" };

/** A connection with the CSRF token that requests with side effects must send. */
export class Connection {
  csrf = "";
  /** Called when the server answers with status 401. */
  onSignedOut = () => {};

  get(path, { signal } = {}) {
    return this.#send("GET", path, null, { signal });
  }

  /** Send JSON, or a FormData unchanged; `onUpload(sent, total)` reports the upload in bytes. */
  send(method, path, body = null, options = {}) {
    return this.#send(method, path, body, options);
  }

  /** By XMLHttpRequest, which reports the progress of an upload; fetch does not. */
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
      request.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      request.addEventListener("error", () =>
        reject(
          new EngineError("The server does not answer.", {
            kind: "offline",
            hint: "Check that it is running. Your work on this page is not lost.",
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
      if (signal?.aborted) reject(new DOMException("aborted", "AbortError"));
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
  return problemError(answer, { kind, retryAfter, fallback: busy });
}

/** The error of a problem document. */
export function problemError(
  document,
  { kind = "refused", retryAfter = 0, fallback = "The request failed." } = {},
) {
  const text =
    typeof document?.detail === "string" ? document.detail : (document?.title ?? fallback);
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
