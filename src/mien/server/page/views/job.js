/** One training: its stages as they pass, its report, and putting what it made in service. */

import { fill, h, progressBar } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { OVER } from "../api/jobs-api.js";
import { alertReaders, errorNote, note, toast } from "../parts/toast.js";
import { count, duration, number } from "../words.js";

const STAGES = [
  { id: "build", says: "Look at the photos", then: "Find faces, set aside what is doubtful" },
  { id: "train", says: "Learn the people", then: "Choose what tells them apart best" },
  { id: "evaluate", says: "Measure how good it is", then: "On photos that were kept back" },
];

const TAGS = {
  queued: ["", "waiting"],
  running: ["warn", "running"],
  done: ["good", "ready"],
  failed: ["bad", "failed"],
  cancelled: ["", "stopped"],
};

/** The state of a job as a small label. */
export function stateTag(job) {
  const [kind, says] = job.inService
    ? ["good", "in service"]
    : (TAGS[job.state] ?? ["", job.state]);
  return h("span", { class: `tag ${kind}` }, says);
}

/** The card of a job; `update(job)` as news come, `leave()` at the end. */
export function jobCard(engine, job, { onAnother, onService }) {
  const title = h("h2", {});
  const tag = h("span");
  const says = h("p", { class: "soft", role: "status" });
  const stop = h("button", { class: "button small", type: "button" }, icon("stop"), "Stop");
  const rows = STAGES.map(({ says: words, then }) => {
    const bar = progressBar(words);
    const mark = h("span", { class: "stage-mark" });
    const detail = h("p", { class: "soft little" }, then);
    const row = h(
      "li",
      { class: "job-stage" },
      mark,
      h(
        "div",
        { class: "job-stage-about" },
        h("p", { class: "job-stage-name" }, words),
        detail,
        bar.element,
      ),
    );
    return { row, mark, detail, bar, then };
  });
  const result = h("div", { class: "stack" });
  const element = h(
    "div",
    { class: "stack" },
    h(
      "section",
      { class: "card padded stack" },
      h("div", { class: "spread" }, h("div", { class: "row" }, title, tag), stop),
      says,
      h(
        "ol",
        { class: "job-stages" },
        rows.map(({ row }) => row),
      ),
    ),
    result,
  );
  let shown = null;

  const update = (news) => {
    job = news;
    title.textContent = job.name || "Recognizer";
    fill(tag, stateTag(job));
    stop.hidden = OVER.has(job.state);
    says.textContent =
      {
        queued: "Waiting for another training to end.",
        running: job.message,
        done: "Done.",
        cancelled: "Stopped. Nothing was changed.",
      }[job.state] ?? "";
    says.hidden = !says.textContent;
    const now = STAGES.findIndex(({ id }) => id === job.stage);
    rows.forEach((stage, index) => drawStage(stage, stateOfStage(index, now, job), job));
    if (shown !== job.state && OVER.has(job.state)) {
      alertReaders(
        {
          done: "The training is done.",
          failed: "The training failed.",
          cancelled: "The training was stopped.",
        }[job.state],
      );
      fill(result, resultOf());
    }
    shown = job.state;
  };

  const resultOf = () => {
    const another = h(
      "button",
      { class: "button", type: "button", on: { click: onAnother } },
      icon("plus"),
      "Train another",
    );
    if (job.state === "failed")
      return [
        errorNote({
          message: job.error?.detail ?? job.error?.title ?? (job.message || "The training failed."),
          hint: job.error?.hint ?? "",
        }),
        h("div", { class: "acts" }, another),
      ];
    if (job.state === "cancelled") return h("div", { class: "acts" }, another);
    return [serviceOf(another), ...reportOf()];
  };

  const serviceOf = (another) => {
    const room = h("div");
    const facts = [
      job.people ? count(job.people, "person", "people") : "",
      job.photos ? count(job.photos, "photo") : "",
    ]
      .filter(Boolean)
      .join(", ");
    const may = engine.features.service;
    const put = async () => {
      try {
        await engine.putInService(job.handle, job.version);
        job.inService = true;
        toast(`${job.name} answers from now on.`);
        await onService(job.handle);
        fill(tag, stateTag(job));
        draw();
      } catch (error) {
        fill(room, errorNote(error));
      }
    };
    const draw = () =>
      fill(
        room,
        job.inService
          ? note("good", `${job.name} is in service.`, {
              hint: "About lists its versions: you can go back to an older one there.",
              acts: [
                h(
                  "a",
                  { class: "button small", href: "#/recognise" },
                  icon("recognise"),
                  "Recognise with it",
                ),
                h("a", { class: "button small", href: "#/about" }, "Versions"),
              ],
            })
          : note("good", `${job.name} is ready${facts ? `: ${facts}` : ""}.`, {
              hint: may
                ? "It answers nobody until you put it in service. Read the report first."
                : "An administrator can put it in service.",
              acts: may
                ? [
                    h(
                      "button",
                      { class: "button main small", type: "button", on: { click: put } },
                      icon("check"),
                      "Put it in service",
                    ),
                  ]
                : [],
            }),
        h("div", { class: "acts job-after" }, another),
      );
    draw();
    return room;
  };

  /** The report is a page of its own with scripts of its own: it is shown in a frame that can reach nothing here. */
  const reportOf = () => {
    if (!job.hasReport) return [];
    const url = engine.jobs.reportUrl(job.id);
    return [
      h(
        "section",
        { class: "card report" },
        h(
          "div",
          { class: "spread report-head" },
          h("h2", {}, "Report"),
          h(
            "a",
            { class: "button small", href: url, target: "_blank", rel: "noopener" },
            icon("report"),
            "Open it alone",
          ),
        ),
        h("iframe", {
          class: "report-frame",
          src: url,
          sandbox: "allow-scripts",
          title: `Report on ${job.name}`,
          loading: "lazy",
        }),
      ),
    ];
  };

  stop.addEventListener("click", async () => {
    stop.disabled = true;
    try {
      await engine.jobs.remove(job.id);
    } catch (error) {
      toast(error.message, "warn");
    }
    stop.disabled = false;
  });
  update(job);
  return { element, update, leave() {} };
}

function stateOfStage(index, now, job) {
  if (job.state === "done") return "over";
  if (index < now) return "over";
  if (index > now) return "ahead";
  return job.state === "running" ? "now" : job.state === "failed" ? "broken" : "ahead";
}

function drawStage({ row, mark, detail, bar, then }, state, job) {
  row.dataset.state = state;
  row.setAttribute("aria-current", state === "now" ? "step" : "false");
  fill(
    mark,
    {
      over: icon("check"),
      now: h("span", { class: "spinner" }),
      broken: icon("warn"),
      ahead: null,
    }[state],
  );
  bar.element.hidden = state !== "now";
  if (state !== "now") {
    detail.textContent = then;
    return;
  }
  bar.set(job.done, job.total);
  const left = job.secondsLeft ? `, about ${duration(job.secondsLeft)} left` : "";
  detail.textContent = job.total ? `${number(job.done)} of ${number(job.total)}${left}` : then;
}
