/** Train: photos of many people in, a recognizer out, watched all the way. */

import { fill, freshId, h, progressBar } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { byPerson, choose, filesOf, isArchive, takeDrops } from "../photos.js";
import { errorNote, note, toast } from "../parts/toast.js";
import { bytes, count, moment } from "../words.js";
import { jobCard, stateTag } from "./job.js";

const RATES = [
  {
    value: 0.1,
    says: "1 stranger in 10",
    then: "Names the most people; for an album among friends.",
  },
  {
    value: 0.01,
    says: "1 stranger in 100",
    then: "A good middle. Most people it knows are named.",
  },
  {
    value: 0.001,
    says: "1 stranger in 1,000",
    then: "Strict. More of the people it knows stay unknown.",
  },
];

export function train({ engine, reloadRecognizers }) {
  const element = h("div", { class: "train narrow" });
  const room = h("div", { class: "stack" });
  const earlier = h("section", { class: "stack", "aria-label": "Earlier trainings" });
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
          "Photos of the people you know go in; a recognizer comes out, with a report on how good it is.",
        ),
      ),
    ),
    room,
    earlier,
  );

  const offer = () => {
    stopWatching();
    fill(
      room,
      form(engine, (job) => watch(job)),
    );
  };

  const watch = (job) => {
    stopWatching();
    const card = jobCard(engine, job, { onAnother: offer, onService: reloadRecognizers });
    fill(room, card.element);
    const stop = engine.jobs.watch(job.id, (news) => {
      card.update(news);
      if (news.state !== job.state) tellEarlier(job.id);
      job = news;
    });
    stopWatching = () => {
      stop();
      card.leave();
    };
    tellEarlier(job.id);
    element.querySelector("h1").scrollIntoView({ block: "nearest" });
  };

  async function tellEarlier(except) {
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
    if (room.childElementCount) return;
    fill(
      room,
      h("div", { class: "card padded" }, h("div", { class: "bone", style: { height: "220px" } })),
    );
    const jobs = await tellEarlier(null);
    const running = jobs.find(({ state }) => state === "running" || state === "queued");
    if (running) watch(running);
    else offer();
  };
  return { element, title: "Train", enter, leave() {} };
}

/** What to train on, and how strict to be. */
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
        note("warn", "There are no people in what you gave.", {
          hint: "Give a folder that has a folder for each person, with their photos inside; or a zip of it.",
        }),
      );
    }
    tell();
  };
  const tell = () => {
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
            tell();
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
    h("p", {}, "Drop a zip, or a folder with a folder for each person"),
    h(
      "p",
      { class: "soft little" },
      "Duplicates, poor pictures and likely wrong names are set aside before anything is learned.",
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
  takeDrops(zone, take);
  zone.addEventListener("paste", async (event) => take(await filesOf(event.clipboardData)));

  const rates = h(
    "fieldset",
    { class: "rates" },
    h("legend", {}, "How many strangers may be given a name by mistake"),
    RATES.map(({ value, says, then }) =>
      h(
        "label",
        { class: "rate" },
        h("input", { type: "radio", name: ids.rate, value, checked: value === 0.01 }),
        h("span", {}, h("b", {}, says), h("span", { class: "soft little" }, then)),
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
      toast("Training has begun. You may leave this page.", "train");
      onStarted(job);
    } catch (error) {
      fill(trouble, errorNote(error));
    } finally {
      sending.hidden = true;
      tell();
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
      h("label", { for: ids.name }, "What to call it"),
      name,
      h(
        "p",
        { class: "hint" },
        "Small letters, digits and dashes. An existing name gets a new version; the old one stays until you change over.",
      ),
    ),
    trouble,
    sending,
    h("div", { class: "acts" }, go),
  );
}
