/**
 * The visitor's own people: names and embeddings in this browser's IndexedDB, and nowhere else.
 *
 * No photo and no picture of a face is kept. What is forgotten is deleted in one transaction;
 * when nobody is left the database goes too.
 */

import { base64, flat, text, unitRow } from "./encoding.js";
import { checkedName, refused, whyNot } from "./enrolment.js";
import { sha256 } from "./files.js";

const VERSION = 1;
const FORMAT = "mien-visitor-people";
const STORES = ["people", "sightings", "negatives"];
/** Begins the id of a person whom the recognizer's own file knows. */
export const FIXED = "file:";
const MOST_PHOTOS = 20_000;
const MOST_BYTES = 64 * 2 ** 20;

/** The same interface as the server's people (people-api.js), with `exported` and `imported`. */
export class LocalPeople {
  #name;
  #contract;
  #dimension;
  #fixed;
  #known;
  #look;
  #changed;
  #database = null;

  /**
   * `fixed` are the recognizer's own people, `{name, photos}`; `look(photo, box)` finds a face's
   * embeddings, `changed(taught)` hears everything that was taught after each change; `contract`
   * says which embedder made the embeddings.
   */
  constructor({ name, contract, dimension, fixed, look, changed }) {
    this.#name = name;
    this.#contract = contract;
    this.#dimension = dimension;
    this.#fixed = new Map(fixed.map(({ name: who }, index) => [FIXED + who, index]));
    this.#known = fixed.map((who) => ({ ...who, id: null, pictures: [], thumbnail: null }));
    this.#look = look;
    this.#changed = changed;
  }

  /** Tell the recognizer whom the visitor added; called once at the start and after changes. */
  async refresh() {
    await this.#tell(
      await this.#all("people"),
      await this.#all("sightings"),
      await this.#all("negatives"),
    );
  }

  async #tell(everybody, photos, rejected) {
    const mine = ({ contract }) => contract === this.#contract;
    const sightings = photos.filter(mine);
    const people = everybody.filter(({ id }) => sightings.some(({ person }) => person === id));
    const place = new Map([
      ...this.#fixed,
      ...people.map(({ id }, index) => [id, this.#fixed.size + index]),
    ]);
    const rows = sightings.filter(({ person }) => place.has(person));
    const negatives = rejected.filter(mine).filter(({ person }) => place.has(person));
    await this.#changed({
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

  /** The visitor's people and, with no id, those of the recognizer's file. */
  async list() {
    const sightings = await this.#all("sightings");
    const people = await this.#all("people");
    const own = people.map((person) => shown(person, sightings));
    return [...own, ...this.#known].sort((a, b) => a.name.localeCompare(b.name));
  }

  async get(id) {
    return shown(await this.#person(id), await this.#all("sightings"));
  }

  async create({ name, consent = "" }) {
    const called = checkedName(name);
    const people = await this.#all("people");
    if (people.some((person) => person.name === called))
      throw refused(
        `${called} is there already.`,
        "Add photos to that person, or choose another name.",
      );
    const now = new Date().toISOString();
    const person = { id: crypto.randomUUID(), name: called, consent, created: now, changed: now };
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
      for (const sighting of moved.sightings) stores.sightings.put({ ...sighting, person: id });
      for (const negative of moved.negatives) stores.negatives.delete(negative.id);
      stores.people.delete(other);
    });
  }

  async forget(id) {
    const gone = await this.#of(id);
    await this.#write((stores) => {
      for (const sighting of gone.sightings) stores.sightings.delete(sighting.id);
      for (const negative of gone.negatives) stores.negatives.delete(negative.id);
      stores.people.delete(id);
    });
    const left = [...(await this.#all("people")), ...(await this.#all("negatives"))];
    if (!left.length) await this.forgetAll();
  }

  async forgetPhoto(id, photo) {
    await this.#person(id);
    await this.#write((stores) => stores.sightings.delete(photo));
  }

  /** Forget everybody: the database itself is deleted. */
  async forgetAll() {
    (await this.#database)?.close();
    this.#database = null;
    await request(indexedDB.deleteDatabase(this.#name));
    await this.#tell([], [], []);
  }

  /**
   * Learn the one face of a photo, or say why not: `{taken, reason, detail, evidence}`.
   *
   * `face` chooses among several: its box in pixels of the photo. `force` takes a face that the
   * recognizer gives another name.
   */
  async addPhoto(id, file, { force = false, face = null } = {}) {
    const person = await this.#person(id);
    const digest = await sha256(await file.arrayBuffer());
    const known = (await this.#all("sightings")).filter((sighting) => sighting.person === id);
    if (digest && known.some(({ sha256 }) => sha256 === digest)) {
      return {
        taken: false,
        reason: "already-enrolled",
        detail: "This photo is there already.",
        evidence: null,
      };
    }
    const seen = await this.#look(file, face);
    const no = whyNot(seen, person, { force, known: known.length });
    if (no) return { taken: false, evidence: null, ...no };
    await this.#learn(id, { ...seen.sighting, sha256: digest, source: file.name ?? "" });
    return { taken: true, reason: "", detail: "", evidence: null };
  }

  /** Learn an embedding that the recognizer made of a photo that was shown to it. */
  async addEmbedding(id, embedding) {
    const person = id.startsWith(FIXED) ? await this.#named(id.slice(FIXED.length)) : id;
    await this.#learn(person, { embedding, mirror: embedding, sha256: null, source: "" });
  }

  /** Remember that a face is not a person: faces as like it as like the person are not either. */
  async addNegative(id, embedding) {
    const negative = { id: crypto.randomUUID(), person: id, contract: this.#contract, embedding };
    await this.#write((stores) => stores.negatives.add(negative));
  }

  /** The id of the visitor's own person with a name, made where there is none. */
  async #named(name) {
    const known = (await this.#all("people")).find((person) => person.name === name);
    return (known ?? (await this.create({ name }))).id;
  }

  async #of(id) {
    const theirs = async (store) => (await this.#all(store)).filter(({ person }) => person === id);
    return { sightings: await theirs("sightings"), negatives: await theirs("negatives") };
  }

  async #learn(id, seen) {
    const person = await this.#person(id);
    const now = new Date().toISOString();
    await this.#write((stores) => {
      stores.sightings.add({
        id: crypto.randomUUID(),
        person: id,
        contract: this.#contract,
        added: now,
        ...seen,
      });
      stores.people.put({ ...person, changed: now });
    });
  }

  /** Everybody as a file to keep: a Blob of JSON with names and embeddings, no photos. */
  async exported() {
    const sightings = await this.#all("sightings");
    const people = (await this.#all("people")).map(({ id, name, consent, created }) => ({
      name,
      consent,
      created,
      photos: sightings
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

  /** Add the people of an exported file; returns how many photos were new. */
  async imported(file) {
    const people = await this.#read(file);
    const here = await this.#all("people");
    const digests = new Set(
      (await this.#all("sightings")).map(({ person, sha256 }) => `${person} ${sha256}`),
    );
    const now = new Date().toISOString();
    let added = 0;
    await this.#write((stores) => {
      for (const { name, consent, created, photos } of people) {
        const same = here.find((person) => person.name === name);
        const id = same?.id ?? crypto.randomUUID();
        stores.people.put(
          same ? { ...same, changed: now } : { id, name, consent, created, changed: now },
        );
        for (const photo of photos) {
          const mark = `${id} ${photo.sha256}`;
          if (photo.sha256 && digests.has(mark)) continue;
          digests.add(mark);
          stores.sightings.add({ ...photo, id: crypto.randomUUID(), person: id });
          added += 1;
        }
      }
    });
    return added;
  }

  async #read(file) {
    const bad = refused(
      "This is no file of people that Mien exported.",
      "Choose a file that this page saved.",
    );
    if (file.size > MOST_BYTES) throw bad;
    let told;
    try {
      told = JSON.parse(await file.text());
    } catch {
      throw bad;
    }
    if (told?.format !== FORMAT || !Array.isArray(told.people)) throw bad;
    if (!(told.version <= VERSION))
      throw refused(
        "A newer version of Mien saved this file.",
        "Load this page again to get the new version.",
      );
    if (told.contract !== this.#contract)
      throw refused(
        "These people were learned by another embedder.",
        "Add them again from their photos.",
      );
    let count = 0;
    const names = new Set();
    return told.people.map((person) => {
      const name = checkedName(person?.name);
      if (
        names.has(name) ||
        !Array.isArray(person.photos) ||
        (count += person.photos.length) > MOST_PHOTOS
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
    if (!person) throw refused("That person is not there any more.");
    return person;
  }

  async #all(store) {
    return request((await this.#stores("readonly"))[store].getAll());
  }

  async #stores(mode) {
    this.#database ??= this.#open();
    const transaction = (await this.#database).transaction(STORES, mode, { durability: "strict" });
    return {
      transaction,
      ...Object.fromEntries(STORES.map((store) => [store, transaction.objectStore(store)])),
    };
  }

  /** Run `change` on both stores: all of it is kept, or nothing. */
  async #write(change) {
    const stores = await this.#stores("readwrite");
    const done = new Promise((resolve, reject) => {
      stores.transaction.oncomplete = resolve;
      stores.transaction.onabort = () => reject(full(stores.transaction.error));
    });
    change(stores);
    await done;
    await this.refresh();
  }

  #open() {
    const opening = indexedDB.open(this.#name, VERSION);
    opening.onupgradeneeded = () => {
      for (const store of STORES) opening.result.createObjectStore(store, { keyPath: "id" });
    };
    return request(opening).then((database) => {
      // Another tab may forget everybody: this one must not hold the database.
      database.onversionchange = () => {
        database.close();
        this.#database = null;
      };
      return database;
    });
  }
}

function request(asked) {
  return new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(full(asked.error));
  });
}

function full(error) {
  return error?.name === "QuotaExceededError"
    ? refused("The browser's storage is full.", "Free some space on this device.")
    : refused(
        `The browser could not keep this: ${error?.message ?? "no reason given"}.`,
        "A private window may forbid storage.",
      );
}

function shown(person, sightings) {
  const pictures = sightings
    .filter((sighting) => sighting.person === person.id)
    .map(({ id, source, added }) => ({ id, source, added }));
  return { ...person, photos: pictures.length, pictures, source: "", thumbnail: null };
}
