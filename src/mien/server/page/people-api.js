/** The people of a living gallery, over the API. */

import { problemError, sentence } from "./http.js";

const part = encodeURIComponent;

export class PeopleApi {
  #connection;

  constructor(connection) {
    this.#connection = connection;
  }

  /** Everybody, by name: `{id, name, photos, consent, created, changed, thumbnail}`. */
  async list({ signal } = {}) {
    const answer = await this.#connection.get("v1/people", { signal });
    return answer.people.map(personFrom).sort((a, b) => a.name.localeCompare(b.name));
  }

  /** One person, with `pictures`: `{id, source, added}`. */
  async get(id) {
    return personFrom(await this.#connection.get(`v1/people/${part(id)}`));
  }

  async create({ name, consent = "" }) {
    return personFrom(await this.#connection.send("POST", "v1/people", { name, consent }));
  }

  async change(id, fields) {
    return personFrom(await this.#connection.send("PATCH", `v1/people/${part(id)}`, fields));
  }

  merge(id, other) {
    return this.#connection.send("POST", `v1/people/${part(id)}/merge`, { other });
  }

  forget(id) {
    return this.#connection.send("DELETE", `v1/people/${part(id)}`);
  }

  forgetPhoto(id, photo) {
    return this.#connection.send("DELETE", `v1/people/${part(id)}/photos/${part(photo)}`);
  }

  /** Have one photo looked at and, if nothing speaks against it, learned. */
  async addPhoto(id, file, { force = false, signal, onUpload } = {}) {
    const form = new FormData();
    form.append("file", file, file.name ?? "photo.jpg");
    const query = force ? "?force=true" : "";
    const answer = await this.#connection.send("POST", `v1/people/${part(id)}/photos${query}`, form, { signal, onUpload });
    const [result] = answer.results ?? answer.photos;
    if (result.error) throw problemError(result.error);
    return { taken: result.taken, reason: result.reason ?? "", detail: sentence(result.detail ?? ""), evidence: result.evidence ?? null };
  }
}

/** The people of a recognizer file: names, and nothing to change. */
export class FixedPeople {
  #names;

  constructor(names) {
    this.#names = names;
  }

  async list() {
    return this.#names.map((name) => ({ id: null, name, photos: null, thumbnail: null }));
  }
}

function personFrom(person) {
  return {
    id: person.id,
    name: person.name,
    photos: person.photos_count ?? (Array.isArray(person.photos) ? person.photos.length : person.photos),
    pictures: Array.isArray(person.photos) ? person.photos.map((photo) => ({ id: photo.id, source: photo.source ?? "", added: photo.created ?? photo.added ?? "" })) : [],
    consent: person.consent ?? "",
    source: person.source ?? "",
    created: person.created ?? "",
    changed: person.changed ?? "",
    thumbnail: person.thumbnail === false ? null : `v1/people/${part(person.id)}/thumbnail`,
  };
}
