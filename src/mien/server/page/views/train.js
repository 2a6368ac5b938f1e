/** Train: upload photos, follow the training job, put the recognizer in service. */

import { fill, h } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { moment } from "../words.js";
import { jobCard, stateTag } from "./job.js";
import { trainForm } from "./train-form.js";

export function train({ engine, reloadRecognizers }) {
  const element = h("div", { class: "train narrow" });
  const main = h("div", { class: "stack" });
  const earlier = h("section", { class: "stack", "aria-label": "Earlier training jobs" });
  let stopWatching = () => {};
  fill(
    element,
    h(
      "header",
      { class: "view-head" },
      h(
        "div",
        {},
        h("h1", { tabindex: -1 }, "Train"),
        h(
          "p",
          { class: "lead" },
          "Train a recognizer from photos of people you know, with a report on its error rates.",
        ),
      ),
    ),
    main,
    earlier,
  );

  const offer = () => {
    stopWatching();
    fill(
      main,
      trainForm(engine, (job) => watch(job)),
    );
  };

  const watch = (job) => {
    stopWatching();
    const card = jobCard(engine, job, { onAnother: offer, onService: reloadRecognizers });
    fill(main, card.element);
    const stop = engine.jobs.watch(job.id, (changed) => {
      card.update(changed);
      if (changed.state !== job.state) showEarlier(job.id);
      job = changed;
    });
    stopWatching = () => {
      stop();
      card.leave();
    };
    showEarlier(job.id);
    element.querySelector("h1").scrollIntoView({ block: "nearest" });
  };

  async function showEarlier(except) {
    const jobs = await engine.jobs.list().catch(() => []);
    const others = jobs.filter(({ id }) => id !== except);
    fill(
      earlier,
      others.length
        ? [
            h("h2", {}, "Earlier"),
            h(
              "ul",
              { class: "card job-rows" },
              others.map((job) =>
                h(
                  "li",
                  {},
                  h(
                    "button",
                    { type: "button", class: "job-row", on: { click: () => watch(job) } },
                    icon("train"),
                    h("span", { class: "job-name" }, job.name || "Recognizer"),
                    h("span", { class: "soft little" }, moment(job.created)),
                    stateTag(job),
                  ),
                ),
              ),
            ),
          ]
        : null,
    );
    return jobs;
  }

  const enter = async () => {
    if (main.childElementCount) return;
    fill(
      main,
      h("div", { class: "card padded" }, h("div", { class: "bone", style: { height: "220px" } })),
    );
    const jobs = await showEarlier(null);
    const running = jobs.find(({ state }) => state === "running" || state === "queued");
    if (running) watch(running);
    else offer();
  };
  return { element, title: "Train", enter, leave() {} };
}
