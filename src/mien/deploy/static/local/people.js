/**
 * The visitor's own people: names and embeddings in this browser's IndexedDB, and nowhere else.
 *
 * Photos and crops are not stored. A person is deleted in one transaction; with the last person the
 * database is deleted too.
 */

import { base64, flat, text, unitRow } from "./encoding.js";
import { checkedName, findObjection, refused } from "./enrolment.js";
import { sha256 } from "./files.js";

const VERSION = 1;
const FORMAT = "mien-visitor-people";
/** Object stores of the database by their names here: visitors' browsers have the stored names. */
const STORES = { people: "people", samples: "sightings", negatives: "negatives" };
/** First part of the id of a person in the recognizer's file. */
export const FIXED = "file:";
const MAX_PHOTOS = 20_000;
const MAX_BYTES = 64 * 2 ** 20;

/** The interface of the server's people (people-api.js), plus `exported` and `imported`. */
export class LocalPeople {
  #name;
  #contract;
  #dimension;
  #fixed;
  #known;
  #extractSample;
  #onChange;
  #database = null;

  /**
   * `fixed` are the people of the recognizer's file, `{name, photos}`; `extractSample(photo, box)`
   * returns a face's embeddings; `onChange(arrays)` gets all people and embeddings after each
   * change; `contract` is the id of the embeddings.
   */
  constructor({ name, contract, dimension, fixed, extractSample, onChange }) {
    this.#name = name;
    this.#contract = contract;
    this.#dimension = dimension;
    this.#fixed = new Map(fixed.map(({ name: who }, index) => [FIXED + who, index]));
    this.#known = fixed.map((who) => ({ ...who, id: null, pictures: [], thumbnail: null }));
    this.#extractSample = extractSample;
    this.#onChange = onChange;
  }

  /** Pass the visitor's people to the recognizer; called at the start and after each change. */
  async refresh() {
    await this.#publish(
      await this.#all("people"),
      await this.#all("samples"),
      await this.#all("negatives"),
    );
  }

  async #publish(allPeople, allSamples, allNegatives) {
    const usable = ({ contract }) => contract === this.#contract;
    const samples = allSamples.filter(usable);
    const people = allPeople.filter(({ id }) => samples.some(({ person }) => person === id));
    const place = new Map([
      ...this.#fixed,
      ...people.map(({ id }, index) => [id, this.#fixed.size + index]),
    ]);
    const rows = samples.filter(({ person }) => place.has(person));
    const negatives = allNegatives.filter(usable).filter(({ person }) => place.has(person));
    await this.#onChange({
      people: people.map(({ id, name }) => ({ id, name })),
      embeddings: flat(
        rows.map(({ embedding }) => embedding),
        this.#dimension,
      ),
      mirrors: flat(
        rows.map(({ mirror }) => mirror),
        this.#dimension,
      ),
      owners: rows.map(({ person }) => place.get(person) - this.#fixed.size),
      negatives: flat(
        negatives.map(({ embedding }) => embedding),
        this.#dimension,
      ),
      negativeOf: negatives.map(({ person }) => place.get(person)),
    });
  }

  /** The visitor's people and, without an id, those of the recognizer's file. */
  async list() {
    const samples = await this.#all("samples");
    const people = await this.#all("people");
    const own = people.map((person) => shown(person, samples));
    return [...own, ...this.#known].sort((a, b) => a.name.localeCompare(b.name));
  }

  async get(id) {
    return shown(await this.#person(id), await this.#all("samples"));
  }

  async create({ name, consent = "" }) {
    const normal = checkedName(name);
    const people = await this.#all("people");
    if (people.some((person) => person.name === normal))
      throw refused(
        `There is already a person called ${normal}.`,
        "Add photos to that person, or choose another name.",
      );
    const now = new Date().toISOString();
    const person = { id: crypto.randomUUID(), name: normal, consent, created: now, changed: now };
    await this.#write((stores) => stores.people.add(person));
    navigator.storage?.persist?.();
    return shown(person, []);
  }

  async change(id, { name, consent }) {
    const person = await this.#person(id);
    if (name !== undefined) person.name = checkedName(name);
    if (consent !== undefined) person.consent = consent;
    person.changed = new Date().toISOString();
    await this.#write((stores) => stores.people.put(person));
    return this.get(id);
  }

  async merge(id, other) {
    await this.#person(id);
    const moved = await this.#of(other);
    await this.#write((stores) => {
      for (const sample of moved.samples) stores.samples.put({ ...sample, person: id });
      for (const negative of moved.negatives) stores.negatives.delete(negative.id);
      stores.people.delete(other);
    });
  }

  async forget(id) {
    const deleted = await this.#of(id);
    await this.#write((stores) => {
      for (const sample of deleted.samples) stores.samples.delete(sample.id);
      for (const negative of deleted.negatives) stores.negatives.delete(negative.id);
      stores.people.delete(id);
    });
    const left = [...(await this.#all("people")), ...(await this.#all("negatives"))];
    if (!left.length) await this.forgetAll();
  }

  async forgetPhoto(id, photo) {
    await this.#person(id);
    await this.#write((stores) => stores.samples.delete(photo));
  }

  /** Delete all people, and the database itself. */
  async forgetAll() {
    (await this.#database)?.close();
    this.#database = null;
    await request(indexedDB.deleteDatabase(this.#name));
    await this.#publish([], [], []);
  }

  /**
   * Enrol the one face of a photo, or return the reason: `{taken, reason, detail, evidence}`.
   *
   * `face` chooses one of several by its box in pixels of the photo. `force` enrols a face even if
   * the recognizer gives it another name.
   */
  async addPhoto(id, file, { force = false, face = null } = {}) {
    const person = await this.#person(id);
    const digest = await sha256(await file.arrayBuffer());
    const known = (await this.#all("samples")).filter((sample) => sample.person === id);
    if (digest && known.some(({ sha256 }) => sha256 === digest)) {
      return {
        taken: false,
        reason: "already-enrolled",
        detail: "This photo is already enrolled.",
        evidence: null,
      };
    }
    const found = await this.#extractSample(file, face);
    const objection = findObjection(found, person, { force, known: known.length });
    if (objection) return { taken: false, evidence: null, ...objection };
    await this.#addSample(id, { ...found.sample, sha256: digest, source: file.name ?? "" });
    return { taken: true, reason: "", detail: "", evidence: null };
  }

  /** Enrol the embedding of a face in an identified photo. */
  async addEmbedding(id, embedding) {
    const person = id.startsWith(FIXED) ? await this.#named(id.slice(FIXED.length)) : id;
    await this.#addSample(person, { embedding, mirror: embedding, sha256: null, source: "" });
  }

  /** Record that a face is not a person: faces at least as similar to it are rejected too. */
  async addNegative(id, embedding) {
    const negative = { id: crypto.randomUUID(), person: id, contract: this.#contract, embedding };
    await this.#write((stores) => stores.negatives.add(negative));
  }

  /** The id of the visitor's own person with a name; created if there is none. */
  async #named(name) {
    const known = (await this.#all("people")).find((person) => person.name === name);
    return (known ?? (await this.create({ name }))).id;
  }

  async #of(id) {
    const rows = async (store) => (await this.#all(store)).filter(({ person }) => person === id);
    return { samples: await rows("samples"), negatives: await rows("negatives") };
  }

  async #addSample(id, sample) {
    const person = await this.#person(id);
    const now = new Date().toISOString();
    await this.#write((stores) => {
      stores.samples.add({
        id: crypto.randomUUID(),
        person: id,
        contract: this.#contract,
        added: now,
        ...sample,
      });
      stores.people.put({ ...person, changed: now });
    });
  }

  /** An export file: a Blob of JSON with names and embeddings, without photos. */
  async exported() {
    const samples = await this.#all("samples");
    const people = (await this.#all("people")).map(({ id, name, consent, created }) => ({
      name,
      consent,
      created,
      photos: samples
        .filter(({ person }) => person === id)
        .map(({ contract, embedding, mirror, sha256, source, added }) => ({
          contract,
          embedding: base64(embedding),
          mirror: base64(mirror),
          sha256,
          source,
          added,
        })),
    }));
    const text = JSON.stringify(
      { format: FORMAT, version: VERSION, contract: this.#contract, people },
      null,
      1,
    );
    return new Blob([text], { type: "application/json" });
  }

  /** Add the people of an export file; returns the number of new photos. */
  async imported(file) {
    const people = await this.#read(file);
    const existing = await this.#all("people");
    const digests = new Set(
      (await this.#all("samples")).map(({ person, sha256 }) => `${person} ${sha256}`),
    );
    const now = new Date().toISOString();
    let added = 0;
    await this.#write((stores) => {
      for (const { name, consent, created, photos } of people) {
        const same = existing.find((person) => person.name === name);
        const id = same?.id ?? crypto.randomUUID();
        stores.people.put(
          same ? { ...same, changed: now } : { id, name, consent, created, changed: now },
        );
        for (const photo of photos) {
          const digest = `${id} ${photo.sha256}`;
          if (photo.sha256 && digests.has(digest)) continue;
          digests.add(digest);
          stores.samples.add({ ...photo, id: crypto.randomUUID(), person: id });
          added += 1;
        }
      }
    });
    return added;
  }

  async #read(file) {
    const bad = refused(
      "This is not a file of people that Mien exported.",
      "Choose a file that this page saved.",
    );
    if (file.size > MAX_BYTES) throw bad;
    let parsed;
    try {
      parsed = JSON.parse(await file.text());
    } catch {
      throw bad;
    }
    if (parsed?.format !== FORMAT || !Array.isArray(parsed.people)) throw bad;
    if (!(parsed.version <= VERSION))
      throw refused(
        "A newer version of Mien saved this file.",
        "Load this page again to get the new version.",
      );
    if (parsed.contract !== this.#contract)
      throw refused(
        "These people were enrolled with another embedder.",
        "Add them again from their photos.",
      );
    let count = 0;
    const names = new Set();
    return parsed.people.map((person) => {
      const name = checkedName(person?.name);
      if (
        names.has(name) ||
        !Array.isArray(person.photos) ||
        (count += person.photos.length) > MAX_PHOTOS
      )
        throw bad;
      names.add(name);
      const photos = person.photos.map((photo) => {
        const embedding = unitRow(photo?.embedding, this.#dimension);
        const mirror = unitRow(photo?.mirror, this.#dimension);
        if (!embedding || !mirror || photo.contract !== this.#contract) throw bad;
        return {
          contract: this.#contract,
          embedding,
          mirror,
          sha256: text(photo.sha256) || null,
          source: text(photo.source),
          added: text(photo.added),
        };
      });
      return { name, consent: text(person.consent), created: text(person.created), photos };
    });
  }

  async #person(id) {
    const stores = await this.#stores("readonly");
    const person = await request(stores.people.get(id));
    if (!person) throw refused("That person no longer exists.");
    return person;
  }

  async #all(store) {
    return request((await this.#stores("readonly"))[store].getAll());
  }

  async #stores(mode) {
    this.#database ??= this.#open();
    const stored = Object.values(STORES);
    const transaction = (await this.#database).transaction(stored, mode, { durability: "strict" });
    const stores = Object.entries(STORES).map(([name, at]) => [name, transaction.objectStore(at)]);
    return { transaction, ...Object.fromEntries(stores) };
  }

  /** Run `change` on the stores in one transaction: all of it is stored, or nothing. */
  async #write(change) {
    const stores = await this.#stores("readwrite");
    const done = new Promise((resolve, reject) => {
      stores.transaction.oncomplete = resolve;
      stores.transaction.onabort = () => reject(storageError(stores.transaction.error));
    });
    change(stores);
    await done;
    await this.refresh();
  }

  #open() {
    const opening = indexedDB.open(this.#name, VERSION);
    opening.onupgradeneeded = () => {
      for (const store of Object.values(STORES))
        opening.result.createObjectStore(store, { keyPath: "id" });
    };
    return request(opening).then((database) => {
      // Another tab may delete the database: this one must not keep it open.
      database.onversionchange = () => {
        database.close();
        this.#database = null;
      };
      return database;
    });
  }
}

function request(pending) {
  return new Promise((resolve, reject) => {
    pending.onsuccess = () => resolve(pending.result);
    pending.onerror = () => reject(storageError(pending.error));
  });
}

function storageError(error) {
  return error?.name === "QuotaExceededError"
    ? refused("The browser's storage is full.", "Free some space on this device.")
    : refused(
        `The browser could not store this: ${error?.message ?? "no reason given"}.`,
        "A private window may block storage.",
      );
}

function shown(person, samples) {
  const pictures = samples
    .filter((sample) => sample.person === person.id)
    .map(({ id, source, added }) => ({ id, source, added }));
  return { ...person, photos: pictures.length, pictures, source: "", thumbnail: null };
}
