/** Train: upload photos, follow the training job, put the recognizer in service. */

import { fill, freshId, h, progressBar } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { byPerson, choose, filesOf, isArchive, acceptDrops } from "../photos.js";
import { errorNote, note, toast } from "../parts/toast.js";
import { bytes, count, moment } from "../words.js";
import { jobCard, stateTag } from "./job.js";

const RATES = [
  {
    value: 0.1,
    label: "1 stranger in 10",
    description: "Most known people get a name; for a private album.",
  },
  {
    value: 0.01,
    label: "1 stranger in 100",
    description: "A good default. Known people mostly get a name.",
  },
  {
    value: 0.001,
    label: "1 stranger in 1,000",
    description: "Strict. More known people stay unknown.",
  },
];

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
      form(engine, (job) => watch(job)),
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

/** The form: photos, false positive rate and name. */
function form(engine, onStarted) {
  const ids = { name: freshId("name"), rate: freshId("rate") };
  const name = h("input", {
    class: "input",
    id: ids.name,
    value: engine.current?.kind === "file" ? engine.current.handle : "trained",
    maxlength: 60,
    pattern: "[a-z0-9][a-z0-9\\-]*",
    autocomplete: "off",
    spellcheck: "false",
  });
  const picked = h("div");
  const trouble = h("div");
  const go = h(
    "button",
    { class: "button main", type: "submit", disabled: true },
    icon("train"),
    "Start training",
  );
  let load = null;

  const take = (files) => {
    fill(trouble);
    const archive = files.map(({ file }) => file).find(isArchive);
    const people = byPerson(files);
    if (archive) load = { archive };
    else if (people.size) load = { people };
    else if (files.length) {
      load = null;
      fill(
        trouble,
        note("warn", "No people were found in these files.", {
          hint: "Choose a folder with one folder of photos per person, or a zip archive of it.",
        }),
      );
    }
    showPicked();
  };
  const showPicked = () => {
    go.disabled = !load;
    if (!load) return fill(picked);
    const drop = h(
      "button",
      {
        class: "button quiet icon small",
        type: "button",
        "aria-label": "Choose something else",
        on: {
          click: () => {
            load = null;
            showPicked();
          },
        },
      },
      icon("cross"),
    );
    if (load.archive)
      return fill(
        picked,
        h(
          "div",
          { class: "picked" },
          icon("zip"),
          h(
            "div",
            { class: "picked-about" },
            h("b", {}, load.archive.name),
            h(
              "p",
              { class: "soft little" },
              `${bytes(load.archive.size)}. Its folders are the people.`,
            ),
          ),
          drop,
        ),
      );
    const photos = [...load.people.values()].flat();
    const size = photos.reduce((sum, { file }) => sum + file.size, 0);
    const few = [...load.people].filter(([, theirs]) => theirs.length < 3).length;
    return fill(
      picked,
      h(
        "div",
        { class: "picked" },
        icon("folder"),
        h(
          "div",
          { class: "picked-about" },
          h(
            "b",
            {},
            `${count(load.people.size, "person", "people")}, ${count(photos.length, "photo")}`,
          ),
          h(
            "p",
            { class: "soft little" },
            `${bytes(size)}${few ? `. ${count(few, "person has", "people have")} fewer than three photos: they are harder to recognise.` : ""}`,
          ),
        ),
        drop,
      ),
      h(
        "ul",
        { class: "picked-people" },
        [...load.people]
          .slice(0, 40)
          .map(([person, theirs]) => h("li", { class: "tag" }, `${person} · ${theirs.length}`)),
        load.people.size > 40
          ? h("li", { class: "tag" }, `and ${load.people.size - 40} more`)
          : null,
      ),
    );
  };

  const zone = h(
    "div",
    { class: "drop-zone" },
    icon("upload"),
    h("p", {}, "Drop a zip archive, or a folder with one folder per person"),
    h(
      "p",
      { class: "soft little" },
      "Duplicates, photos of low quality and likely wrong names are excluded before training.",
    ),
    h(
      "div",
      { class: "acts" },
      h(
        "button",
        {
          class: "button",
          type: "button",
          on: { click: () => choose({ folder: true }).then(take) },
        },
        icon("folder"),
        "Choose a folder",
      ),
      h(
        "button",
        {
          class: "button",
          type: "button",
          on: {
            click: () =>
              choose({ accept: ".zip,.tgz,.tar.gz,.tar,application/zip", multiple: false }).then(
                take,
              ),
          },
        },
        icon("zip"),
        "Choose a zip",
      ),
    ),
  );
  acceptDrops(zone, take);
  zone.addEventListener("paste", async (event) => take(await filesOf(event.clipboardData)));

  const rates = h(
    "fieldset",
    { class: "rates" },
    h("legend", {}, "How many strangers may get a name by mistake"),
    RATES.map(({ value, label, description }) =>
      h(
        "label",
        { class: "rate" },
        h("input", { type: "radio", name: ids.rate, value, checked: value === 0.01 }),
        h("span", {}, h("b", {}, label), h("span", { class: "soft little" }, description)),
      ),
    ),
  );

  const bar = progressBar("Upload");
  const sending = h(
    "div",
    { class: "stack tight", hidden: true },
    h("p", { role: "status" }),
    bar.element,
  );
  const submit = async (event) => {
    event.preventDefault();
    fill(trouble);
    go.disabled = true;
    sending.hidden = false;
    try {
      const falsePositiveRate = Number(rates.querySelector("input:checked").value);
      const photos = load.people ? [...load.people.values()].flat() : [];
      const job = await engine.jobs.create(
        { archive: load.archive ?? null, photos, name: name.value.trim(), falsePositiveRate },
        {
          onUpload: (sent, total) => {
            bar.set(sent, total);
            sending.firstChild.textContent =
              sent < total ? `Sending the photos: ${bytes(sent)} of ${bytes(total)}` : "Starting";
          },
        },
      );
      toast("The training job has started. You may leave this page.", "train");
      onStarted(job);
    } catch (error) {
      fill(trouble, errorNote(error));
    } finally {
      sending.hidden = true;
      showPicked();
    }
  };
  return h(
    "form",
    { class: "card padded stack roomy", on: { submit } },
    zone,
    picked,
    rates,
    h(
      "div",
      { class: "field" },
      h("label", { for: ids.name }, "Name of the recognizer"),
      name,
      h(
        "p",
        { class: "hint" },
        "Lower-case letters, digits and dashes. An existing name gets a new version; the old one stays in service until you change it.",
      ),
    ),
    trouble,
    sending,
    h("div", { class: "acts" }, go),
  );
}
