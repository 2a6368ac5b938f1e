/** The people of the gallery, over the API. */

import { problemError, sentence } from "./http.js";

const part = encodeURIComponent;
const byName = (a, b) => a.name.localeCompare(b.name);

export class PeopleApi {
  #connection;

  constructor(connection) {
    this.#connection = connection;
  }

  /** All people, sorted by name: `{id, name, photos, consent, created, changed, thumbnail}`. */
  async list({ signal } = {}) {
    const answer = await this.#connection.get("v1/people", { signal });
    return answer.people.map(personFrom).sort(byName);
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

  /** Resolves to what is left elsewhere: `{wiped, recognizers}`; null if nothing is. */
  async forget(id) {
    const left = await this.#connection.send("DELETE", `v1/people/${part(id)}`);
    if (!left) return null;
    const recognizers = left.recognizers.map(({ in_service: inService, ...rest }) => ({
      ...rest,
      inService,
    }));
    return { wiped: left.wiped, recognizers };
  }

  forgetPhoto(id, photo) {
    return this.#connection.send("DELETE", `v1/people/${part(id)}/photos/${part(photo)}`);
  }

  /** Enrol one photo, unless an enrolment check fails. */
  async addPhoto(id, file, { force = false, signal, onUpload } = {}) {
    const form = new FormData();
    form.append("file", file, file.name ?? "photo.jpg");
    const query = force ? "?force=true" : "";
    const answer = await this.#connection.send(
      "POST",
      `v1/people/${part(id)}/photos${query}`,
      form,
      { signal, onUpload },
    );
    const [result] = answer.results;
    if (result.error && !result.reason) throw problemError(result.error);
    return {
      taken: result.taken,
      reason: result.reason ?? "",
      detail: sentence(result.detail ?? ""),
      evidence: result.evidence ?? null,
    };
  }
}

/** The people of a recognizer file, which cannot be changed. */
export class FixedPeople {
  #connection;
  #handle;

  constructor(connection, handle) {
    this.#connection = connection;
    this.#handle = handle;
  }

  async list() {
    const answer = await this.#connection.get(`v1/people?handle=${part(this.#handle)}`);
    return answer.people
      .map((person) => ({ ...personFrom(person), id: null, thumbnail: null }))
      .sort(byName);
  }
}

function personFrom(person) {
  return {
    id: person.id,
    name: person.name,
    photos: person.photos_count,
    pictures: (person.photos ?? []).map(({ id, source, added }) => ({ id, source, added })),
    consent: person.consent ?? "",
    source: person.source ?? "",
    created: person.created ?? "",
    changed: person.changed ?? "",
    thumbnail: person.thumbnail ? `v1/people/${part(person.id)}/thumbnail` : null,
  };
}
