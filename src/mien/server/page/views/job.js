/** A training job: its stages, its report, and putting its recognizer in service. */

import { fill, h, progressBar } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { FINISHED } from "../api/jobs-api.js";
import { announce, errorNote, note, toast } from "../parts/toast.js";
import { count, duration, number } from "../words.js";

const STAGES = [
  { id: "build", label: "Process the photos", description: "Find faces, exclude doubtful photos" },
  { id: "train", label: "Train the recognizer", description: "Choose the best classifier" },
  {
    id: "evaluate",
    label: "Measure the error rates",
    description: "On photos not used in training",
  },
];

const TAGS = {
  queued: ["", "waiting"],
  running: ["warn", "running"],
  done: ["good", "ready"],
  failed: ["bad", "failed"],
  cancelled: ["", "stopped"],
};

/** The state of a job as a label. */
export function stateTag(job) {
  const [kind, label] = job.inService
    ? ["good", "in service"]
    : (TAGS[job.state] ?? ["", job.state]);
  return h("span", { class: `tag ${kind}` }, label);
}

/** The card of a job; call `update(job)` on changes and `leave()` at the end. */
export function jobCard(engine, job, { onAnother, onService }) {
  const title = h("h2", {});
  const tag = h("span");
  const statusLine = h("p", { class: "soft", role: "status" });
  const stop = h("button", { class: "button small", type: "button" }, icon("stop"), "Stop");
  const rows = STAGES.map(({ label, description }) => {
    const bar = progressBar(label);
    const mark = h("span", { class: "stage-mark" });
    const detail = h("p", { class: "soft little" }, description);
    const row = h(
      "li",
      { class: "job-stage" },
      mark,
      h(
        "div",
        { class: "job-stage-about" },
        h("p", { class: "job-stage-name" }, label),
        detail,
        bar.element,
      ),
    );
    return { row, mark, detail, bar, description };
  });
  const result = h("div", { class: "stack" });
  const element = h(
    "div",
    { class: "stack" },
    h(
      "section",
      { class: "card padded stack" },
      h("div", { class: "spread" }, h("div", { class: "row" }, title, tag), stop),
      statusLine,
      h(
        "ol",
        { class: "job-stages" },
        rows.map(({ row }) => row),
      ),
    ),
    result,
  );
  let shown = null;

  const update = (changed) => {
    job = changed;
    title.textContent = job.name || "Recognizer";
    fill(tag, stateTag(job));
    stop.hidden = FINISHED.has(job.state);
    statusLine.textContent =
      {
        queued: "Waiting for another training job.",
        running: job.message,
        done: "Done.",
        cancelled: "Stopped. No recognizer was changed.",
      }[job.state] ?? "";
    statusLine.hidden = !statusLine.textContent;
    const now = STAGES.findIndex(({ id }) => id === job.stage);
    rows.forEach((stage, index) => drawStage(stage, stateOfStage(index, now, job), job));
    if (shown !== job.state && FINISHED.has(job.state)) {
      announce(
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
    return [serviceNote(another), ...reportOf()];
  };

  const serviceNote = (another) => {
    const container = h("div");
    const facts = [
      job.people ? count(job.people, "person", "people") : "",
      job.photos ? count(job.photos, "photo") : "",
    ]
      .filter(Boolean)
      .join(", ");
    const allowed = engine.features.service;
    const put = async () => {
      try {
        await engine.putInService(job.handle, job.version);
        job.inService = true;
        toast(`Requests for ${job.name} now use this version.`);
        await onService(job.handle);
        fill(tag, stateTag(job));
        draw();
      } catch (error) {
        fill(container, errorNote(error));
      }
    };
    const draw = () =>
      fill(
        container,
        job.inService
          ? note("good", `${job.name} is in service.`, {
              hint: "Under About you can go back to an earlier version.",
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
              hint: allowed
                ? "It is not used until you put it in service. Read the report first."
                : "An administrator can put it in service.",
              acts: allowed
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
    return container;
  };

  /** The report, an HTML page with scripts, in a sandboxed frame. */
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
            "Open in a new tab",
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

function drawStage({ row, mark, detail, bar, description }, state, job) {
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
    detail.textContent = description;
    return;
  }
  bar.set(job.done, job.total);
  const left = job.secondsLeft ? `, about ${duration(job.secondsLeft)} left` : "";
  detail.textContent = job.total
    ? `${number(job.done)} of ${number(job.total)}${left}`
    : description;
}
