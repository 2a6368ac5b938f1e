/** The engine over the server's API. */

import { NO_FEATURES, faceFrom } from "./engine.js";
import { Connection, problemError } from "./http.js";
import { JobsApi } from "./jobs-api.js";
import { SessionsApi, VersionsApi } from "./keeping-api.js";
import { FixedPeople, PeopleApi } from "./people-api.js";

const RANKS = { viewer: 0, operator: 1, admin: 2 };

/** @implements {import("./engine.js").Engine} */
export class ServerEngine {
  features = { ...NO_FEATURES };
  place = "by this server and not stored";
  role = null;
  #connection = new Connection();
  #recognizers = [];
  #handle = null;
  #gallery;

  constructor() {
    this.#gallery = new PeopleApi(this.#connection);
    this.people = this.#gallery;
    this.jobs = new JobsApi(this.#connection);
    this.versions = new VersionsApi(this.#connection);
    this.sessions = new SessionsApi(this.#connection);
  }

  /** Called when the session has ended and a key is required again. */
  set onSignedOut(listener) {
    this.#connection.onSignedOut = listener;
  }

  async start() {
    const session = await this.#connection.get("v1/session");
    this.#connection.csrf = session.csrf ?? "";
    this.authentication = Boolean(session.authentication);
    this.role = session.role ?? (this.authentication ? null : "admin");
    if (this.role) await this.recognizers();
    return this.role !== null;
  }

  async signIn(key) {
    const session = await this.#connection.send("POST", "v1/session", { key });
    this.#connection.csrf = session?.csrf ?? "";
    await this.start();
  }

  async signOut() {
    await this.#connection.send("DELETE", "v1/session");
    this.role = null;
  }

  async recognizers() {
    const answer = await this.#connection.get("v1/recognizer");
    this.#recognizers = answer.recognizers ?? [];
    if (!this.#recognizers.some(({ handle }) => handle === this.#handle))
      this.#handle = this.#recognizers[0]?.handle ?? null;
    this.use(this.#handle);
    return this.#recognizers;
  }

  /** The recognizers, as of the last request. */
  get listed() {
    return this.#recognizers;
  }

  get current() {
    return this.#recognizers.find(({ handle }) => handle === this.#handle) ?? null;
  }

  use(handle) {
    this.#handle = handle;
    const may = (role) => RANKS[this.role] >= RANKS[role];
    const gallery = this.current?.kind === "gallery";
    this.people =
      gallery || !this.current ? this.#gallery : new FixedPeople(this.#connection, this.#handle);
    this.features = {
      corrections: gallery && may("operator"),
      people: true,
      editPeople: gallery && may("operator"),
      train: may("operator"),
      service: may("admin"),
      versions: may("operator"),
      sessions: this.authentication,
      signOut: this.authentication,
    };
  }

  /** Faces are sorted from left to right. */
  async identify(photo, { crops = true, top = 5, signal, onUpload } = {}) {
    const form = new FormData();
    form.append("file", photo, photo.name ?? "photo.jpg");
    const query = new URLSearchParams({ crops, top });
    if (this.#handle) query.set("handle", this.#handle);
    const answer = await this.#connection.send("POST", `v1/identify?${query}`, form, {
      signal,
      onUpload,
    });
    const [result] = answer.results;
    if (result.error) throw problemError(result.error);
    return {
      width: result.width,
      height: result.height,
      faces: result.faces.map(faceFrom).sort((a, b) => a.box[0] - b.box[0]),
    };
  }

  isNot(token, personId) {
    return this.#connection.send("POST", "v1/corrections", { face_token: token, not: personId });
  }

  is(token, { id, name }) {
    return this.#connection.send("POST", "v1/corrections", {
      face_token: token,
      is: id ?? { name },
    });
  }

  /** Put a version in service; `version` is one of the recognizer's `versions`. */
  putInService(handle, version) {
    return this.#connection.send("PUT", `v1/recognizer/${encodeURIComponent(handle)}/service`, {
      version,
    });
  }
}
