/** Jobs that make recognizers out of photos, over the API. */

const part = encodeURIComponent;

/** The states in which a job stays as it is. */
export const OVER = new Set(["done", "failed", "cancelled"]);

export class JobsApi {
  #connection;

  constructor(connection) {
    this.#connection = connection;
  }

  /** All jobs, newest first. */
  async list() {
    const answer = await this.#connection.get("v1/jobs");
    return answer.jobs.map(jobFrom);
  }

  async get(id) {
    return jobFrom(await this.#connection.get(`v1/jobs/${part(id)}`));
  }

  /**
   * Start a job on an archive, or on photos laid out as `{path: "Person/photo.jpg", file}`.
   *
   * The photos go up in one body, whose fields are named by their paths.
   */
  async create(
    { archive = null, photos = [], name = "", falsePositiveRate = null },
    { signal, onUpload } = {},
  ) {
    const form = new FormData();
    if (name) form.append("name", name);
    if (falsePositiveRate) form.append("false_positive_rate", String(falsePositiveRate));
    if (archive) form.append("file", archive, archive.name);
    for (const { path, file } of photos) form.append("file", file, path);
    return jobFrom(await this.#connection.send("POST", "v1/jobs", form, { signal, onUpload }));
  }

  /**
   * Hear what a job does until it is over: `listener(job)`; returns a function that stops listening.
   *
   * Server-sent events; where they break off the browser connects again by itself.
   */
  watch(id, listener) {
    const source = new EventSource(`v1/jobs/${part(id)}/events`);
    const hear = (event) => {
      const job = jobFrom(JSON.parse(event.data));
      listener(job);
      if (OVER.has(job.state)) source.close();
    };
    source.addEventListener("message", hear);
    source.addEventListener("error", async () => {
      // A stream that the server ended: ask once how it stands, as its last words may be lost.
      if (source.readyState === EventSource.CONNECTING) {
        const job = await this.get(id).catch(() => null);
        if (job) listener(job);
        if (job && OVER.has(job.state)) source.close();
      }
    });
    return () => source.close();
  }

  reportUrl(id) {
    return `v1/jobs/${part(id)}/report`;
  }

  remove(id) {
    return this.#connection.send("DELETE", `v1/jobs/${part(id)}`);
  }
}

function jobFrom(job) {
  return {
    id: job.id,
    name: job.name,
    state: job.state,
    stage: job.stage ?? "",
    done: job.done ?? 0,
    total: job.total ?? null,
    message: job.message ?? "",
    created: job.created ?? "",
    finished: job.finished ?? "",
    people: job.people ?? null,
    photos: job.photos ?? null,
    handle: job.handle ?? null,
    version: job.version ?? null,
    inService: Boolean(job.in_service),
    hasReport: Boolean(job.report),
    error: job.error ?? null,
  };
}
