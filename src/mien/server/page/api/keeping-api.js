/** What the server keeps: trained recognizers and signed-in browsers, over the API. */

const part = encodeURIComponent;

/** The versions of the recognizers that were trained on this server. */
export class VersionsApi {
  #connection;

  constructor(connection) {
    this.#connection = connection;
  }

  /** All versions, latest first: `{handle, version, created, inService, bytes, name, photos}`. */
  async list() {
    const answer = await this.#connection.get("v1/versions");
    return answer.versions.map(({ in_service: inService, ...rest }) => ({ ...rest, inService }));
  }

  downloadUrl(handle, version) {
    return `v1/recognizer/${part(handle)}/versions/${part(version)}`;
  }

  remove(handle, version) {
    return this.#connection.send("DELETE", this.downloadUrl(handle, version));
  }

  takeOutOfService(handle) {
    return this.#connection.send("DELETE", `v1/recognizer/${part(handle)}/service`);
  }
}

/** The signed-in browsers: those of the same key, for an admin all. */
export class SessionsApi {
  #connection;

  constructor(connection) {
    this.#connection = connection;
  }

  /** Latest first: `{id, key, created, idleSeconds, address, current}`. */
  async list() {
    const answer = await this.#connection.get("v1/sessions");
    return answer.sessions.map(({ idle_seconds: idleSeconds, ...rest }) => ({
      ...rest,
      idleSeconds,
    }));
  }

  end(id) {
    return this.#connection.send("DELETE", `v1/sessions/${part(id)}`);
  }
}
