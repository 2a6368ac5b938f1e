/** A person: photos, rename, add photos, merge, forget. */

import { PhotoAdder } from "../parts/add-photos.js";
import { confirm, sheet } from "../parts/dialog.js";
import { fill, freshId, h, portrait } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { personPicker } from "../parts/person-picker.js";
import { errorNote, toast } from "../parts/toast.js";
import { count, day } from "../words.js";
import { showStillHeld } from "./about/still-held.js";

/** The view of a person; resolves to its element. */
export async function person(context, id) {
  const element = h("div", { class: "narrow stack" });
  await draw(context, id, element);
  return element;
}

async function draw(context, id, element) {
  const { engine } = context;
  const back = h("a", { class: "back", href: "#/people" }, icon("back"), "People");
  let who;
  try {
    who = await engine.people.get(id);
  } catch (error) {
    return fill(element, back, h("h1", { tabindex: -1 }, "Person not found"), errorNote(error));
  }
  const again = () => draw(context, id, element);
  const edit = engine.features.editPeople;
  const stale = h(
    "button",
    { class: "button small", type: "button", hidden: true, on: { click: again } },
    "Show the new photos",
  );
  const adder = edit
    ? new PhotoAdder(engine.people, { onChange: () => adder.taken && (stale.hidden = false) })
    : null;
  adder?.enrol(id);
  return fill(
    element,
    back,
    header(engine, who, again),
    h(
      "section",
      { class: "card padded stack" },
      h("div", { class: "spread" }, h("h2", {}, "Photos"), stale),
      photosOf(engine, who, edit, again),
    ),
    edit
      ? h("section", { class: "card padded stack" }, h("h2", {}, "Add photos"), adder.element)
      : null,
  );
}

function header(engine, who, again) {
  const facts = [
    who.photos
      ? `Enrolled with ${count(who.photos, "photo")}`
      : "No photos yet: cannot be recognised",
    who.created ? `since ${day(who.created)}` : "",
  ]
    .filter(Boolean)
    .join(" ");
  return h(
    "header",
    { class: "person-head" },
    portrait(who.name, who.photos ? who.thumbnail : null, "huge"),
    h(
      "div",
      { class: "person-title" },
      h("h1", { tabindex: -1 }, who.name),
      h("p", { class: "soft" }, `${facts}.`),
      who.consent
        ? h("p", { class: "soft little" }, icon("shield"), `Consent: ${who.consent}`)
        : null,
      engine.features.editPeople
        ? h(
            "div",
            { class: "acts" },
            act("pencil", "Rename", () => rename(engine, who, again)),
            act("merge", "Merge…", () => merge(engine, who, again)),
            act("trash", "Forget…", () => forget(engine, who), "danger"),
          )
        : null,
    ),
  );
}

function act(picture, words, doIt, kind = "") {
  return h(
    "button",
    { class: `button small ${kind}`, type: "button", on: { click: doIt } },
    icon(picture),
    words,
  );
}

function photosOf(engine, who, edit, again) {
  if (!who.pictures.length)
    return h(
      "p",
      { class: "soft" },
      who.photos
        ? "Only face embeddings are stored, not the photos."
        : "Add photos below, so that this person can be recognised.",
    );
  const take = async (photo) => {
    const last = who.pictures.length === 1;
    const sure = await confirm({
      title: "Forget this photo?",
      text: [
        `The embedding of ${photo.source || "this photo"} is deleted.`,
        last ? `It is the only one: ${who.name} cannot be recognised without it.` : "",
      ].filter(Boolean),
      yes: "Forget the photo",
    });
    if (!sure) return;
    try {
      await engine.people.forgetPhoto(who.id, photo.id);
      toast("The photo is forgotten.", "trash");
      again();
    } catch (error) {
      toast(error.message, "warn");
    }
  };
  return h(
    "ul",
    { class: "photo-rows" },
    who.pictures.map((photo) =>
      h(
        "li",
        {},
        icon("photo"),
        h("span", { class: "file-name" }, photo.source || "A photo"),
        h("span", { class: "soft little" }, day(photo.added)),
        edit
          ? h(
              "button",
              {
                class: "button quiet icon small",
                type: "button",
                "aria-label": `Forget the photo ${photo.source}`,
                on: { click: () => take(photo) },
              },
              icon("trash"),
            )
          : null,
      ),
    ),
  );
}

function rename(engine, who, again) {
  const ids = { name: freshId("name"), consent: freshId("consent") };
  const name = h("input", {
    class: "input",
    id: ids.name,
    value: who.name,
    maxlength: 200,
    required: true,
    autofocus: true,
  });
  const consent = h("input", {
    class: "input",
    id: ids.consent,
    value: who.consent,
    maxlength: 500,
  });
  const trouble = h("div");
  const submit = async (event) => {
    event.preventDefault();
    try {
      const changed = { name: name.value.trim(), consent: consent.value.trim() };
      await engine.people.change(who.id, changed);
      close();
      toast(`Renamed to ${changed.name}.`);
      again();
    } catch (error) {
      fill(trouble, errorNote(error));
    }
  };
  const form = h(
    "form",
    { class: "stack", id: freshId("form"), on: { submit } },
    h("div", { class: "field" }, h("label", { for: ids.name }, "Name"), name),
    h("div", { class: "field" }, h("label", { for: ids.consent }, "Consent"), consent),
    trouble,
  );
  const { close } = sheet(`Rename ${who.name}`, form, {
    foot: [h("button", { class: "button main", type: "submit", form: form.id }, "Save")],
  });
  name.select();
}

function merge(engine, who, again) {
  const trouble = h("div");
  const chosen = h("div", { class: "stack tight" });
  const pick = (other) =>
    fill(
      chosen,
      h(
        "div",
        { class: "merge-pair" },
        portrait(other.name, other.thumbnail, "small"),
        h("b", {}, other.name),
        icon("into"),
        portrait(who.name, who.thumbnail, "small"),
        h("b", {}, who.name),
      ),
      h(
        "p",
        { class: "soft" },
        `All photos of ${other.name} are moved to ${who.name}, and ${other.name} is deleted.`,
      ),
      h(
        "div",
        { class: "acts" },
        h(
          "button",
          { class: "button main", type: "button", on: { click: () => go(other) } },
          icon("merge"),
          "Merge",
        ),
      ),
    );
  const go = async (other) => {
    try {
      await engine.people.merge(who.id, other.id);
      close();
      toast(`${other.name} was merged into ${who.name}.`);
      again();
    } catch (error) {
      fill(trouble, errorNote(error));
    }
  };
  const picker = personPicker({
    label: `Who else is ${who.name}?`,
    people: engine.people.list(),
    mayBeNew: false,
    without: [who.id],
    onPick: pick,
  });
  const { close } = sheet(`Merge with ${who.name}`, [
    h("p", { class: "soft" }, "If one person is listed under two names."),
    picker.element,
    chosen,
    trouble,
  ]);
  picker.focus();
}

async function forget(engine, who) {
  const sure = await confirm({
    title: `Forget ${who.name}?`,
    text: [
      `The name, the embeddings of ${count(who.photos ?? 0, "photo")} and any stored crops are deleted for good. ${who.name} will be unknown.`,
      "This cannot be undone.",
    ],
    yes: "Forget for good",
  });
  if (!sure) return;
  try {
    const left = await engine.people.forget(who.id);
    toast(`${who.name} is forgotten.`, "trash");
    location.hash = "#/people";
    if (left) showStillHeld(engine, who.name, left);
  } catch (error) {
    toast(error.message, "warn");
  }
}
