/** Training jobs, over the API. */

const part = encodeURIComponent;

/** The final states of a job. */
export const FINISHED = new Set(["done", "failed", "cancelled"]);

export class JobsApi {
  #connection;

  constructor(connection) {
    this.#connection = connection;
  }

  /** All jobs, latest first. */
  async list() {
    const answer = await this.#connection.get("v1/jobs");
    return answer.jobs.map(jobFrom);
  }

  async get(id) {
    return jobFrom(await this.#connection.get(`v1/jobs/${part(id)}`));
  }

  /**
   * Start a job on an archive, or on photos as `{path: "Person/photo.jpg", file}`.
   *
   * The photos are sent in one form, with their paths as file names.
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
   * Call `listener(job)` on each change until the job is finished; returns a function that stops.
   *
   * Uses server-sent events; the browser reconnects after an interruption.
   */
  watch(id, listener) {
    const source = new EventSource(`v1/jobs/${part(id)}/events`);
    const onMessage = (event) => {
      const job = jobFrom(JSON.parse(event.data));
      listener(job);
      if (FINISHED.has(job.state)) source.close();
    };
    source.addEventListener("message", onMessage);
    source.addEventListener("error", async () => {
      // The stream was interrupted: request the state once, as the last event may be lost.
      if (source.readyState === EventSource.CONNECTING) {
        const job = await this.get(id).catch(() => null);
        if (job) listener(job);
        if (job && FINISHED.has(job.state)) source.close();
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
