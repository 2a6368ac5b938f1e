/** The form of a training job: photos, false positive rate and name. */

import { fill, freshId, h, progressBar } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { acceptDrops, byPerson, choose, filesOf, isArchive } from "../photos.js";
import { errorNote, note, toast } from "../parts/toast.js";
import { bytes, count } from "../words.js";

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

const MAX_LISTED = 40; // people listed under the chosen files

/** Make the form; `onStarted(job)` is called when the job was created. */
export function trainForm(engine, onStarted) {
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
    const discard = () => {
      load = null;
      showPicked();
    };
    fill(picked, load ? pickedSummary(load, discard) : null);
  };
  const zone = dropZone(take);
  const rates = rateChoice(ids.rate);
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

/** The chosen files in a line, with a button to discard them, and the people in a folder. */
function pickedSummary({ archive, people }, onDiscard) {
  const discard = h(
    "button",
    {
      class: "button quiet icon small",
      type: "button",
      "aria-label": "Choose something else",
      on: { click: onDiscard },
    },
    icon("cross"),
  );
  const line = (mark, title, text) =>
    h(
      "div",
      { class: "picked" },
      icon(mark),
      h(
        "div",
        { class: "picked-about" },
        h("b", {}, title),
        h("p", { class: "soft little" }, text),
      ),
      discard,
    );
  if (archive)
    return line("zip", archive.name, `${bytes(archive.size)}. Its folders are the people.`);
  const photos = [...people.values()].flat();
  const size = photos.reduce((sum, { file }) => sum + file.size, 0);
  const few = [...people].filter(([, theirs]) => theirs.length < 3).length;
  const warning = few
    ? `. ${count(few, "person has", "people have")} fewer than three photos: they are harder to recognise.`
    : "";
  const title = `${count(people.size, "person", "people")}, ${count(photos.length, "photo")}`;
  const tags = [...people]
    .slice(0, MAX_LISTED)
    .map(([person, theirs]) => `${person} · ${theirs.length}`);
  if (people.size > MAX_LISTED) tags.push(`and ${people.size - MAX_LISTED} more`);
  return [
    line("folder", title, `${bytes(size)}${warning}`),
    h(
      "ul",
      { class: "picked-people" },
      tags.map((text) => h("li", { class: "tag" }, text)),
    ),
  ];
}

/** The area to drop or choose files. */
function dropZone(take) {
  const button = (mark, text, options) =>
    h(
      "button",
      { class: "button", type: "button", on: { click: () => choose(options).then(take) } },
      icon(mark),
      text,
    );
  const archives = ".zip,.tgz,.tar.gz,.tar,application/zip";
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
      button("folder", "Choose a folder", { folder: true }),
      button("zip", "Choose a zip", { accept: archives, multiple: false }),
    ),
  );
  acceptDrops(zone, take);
  zone.addEventListener("paste", async (event) => take(await filesOf(event.clipboardData)));
  return zone;
}

/** The choice of the false positive rate, as radio buttons. */
function rateChoice(name) {
  return h(
    "fieldset",
    { class: "rates" },
    h("legend", {}, "How many strangers may get a name by mistake"),
    RATES.map(({ value, label, description }) =>
      h(
        "label",
        { class: "rate" },
        h("input", { type: "radio", name: name, value, checked: value === 0.01 }),
        h("span", {}, h("b", {}, label), h("span", { class: "soft little" }, description)),
      ),
    ),
  );
}
