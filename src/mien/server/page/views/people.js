/** People: the list of known people, with search. */

import { fill, h, portrait } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { errorNote } from "../parts/toast.js";
import { count } from "../words.js";
import { keptHere } from "./kept-here.js";
import { newPerson } from "./new-person.js";
import { person } from "./person.js";

const PAGE_SIZE = 60; // people drawn at a time

export function people(context) {
  const element = h("div", { class: "people" });
  const show = async (rest) => {
    if (rest[0] === "new" && context.engine.features.editPeople)
      return fill(element, newPerson(context));
    if (rest[0]) return fill(element, await person(context, decodeURIComponent(rest[0])));
    return peopleList(context, element);
  };
  return { element, title: "People", enter: show, leave() {} };
}

async function peopleList({ engine }, element) {
  const { editPeople } = engine.features;
  const search = h("input", {
    class: "input",
    type: "search",
    placeholder: "Find a person",
    "aria-label": "Find a person",
  });
  const lead = h("p", { class: "lead", role: "status" }, "Loading…");
  const add = editPeople
    ? h("a", { class: "button main", href: "#/people/new" }, icon("plus"), "Add a person")
    : null;
  const tools = h(
    "div",
    { class: "acts people-tools" },
    h("div", { class: "search" }, icon("search"), search),
    add,
  );
  const room = h("div", { class: "people-room" }, skeleton());
  const foot = engine.people.exported
    ? keptHere(engine.people, () => peopleList({ engine }, element))
    : null;
  fill(
    element,
    h(
      "header",
      { class: "view-head" },
      h("div", {}, h("h1", { tabindex: -1 }, "People"), lead),
      tools,
    ),
    room,
    foot,
  );
  let all;
  try {
    all = await engine.people.list();
  } catch (error) {
    lead.textContent = "";
    return fill(
      room,
      errorNote(error, () => peopleList({ engine }, element)),
    );
  }
  const photos = all.reduce((sum, each) => sum + (each.photos ?? 0), 0);
  lead.textContent = all.length
    ? `${count(all.length, "person", "people")}${photos ? ` from ${count(photos, "photo")}` : ""}.`
    : "";
  if (!all.length) {
    tools.hidden = true;
    return fill(room, noPeople(engine.features));
  }
  const draw = () => {
    const query = search.value.trim().toLowerCase();
    const chosen = query ? all.filter(({ name }) => name.toLowerCase().includes(query)) : all;
    if (!chosen.length)
      return fill(
        room,
        h(
          "div",
          { class: "empty" },
          icon("search"),
          h("h2", {}, `No person is called “${search.value.trim()}”`),
          h("p", {}, "Try part of the name."),
        ),
      );
    return fill(room, gridOf(chosen));
  };
  search.addEventListener("input", draw);
  draw();
  return null;
}

function skeleton() {
  const card = () =>
    h(
      "div",
      { class: "card person-card" },
      h("div", { class: "bone person-picture" }),
      h("div", { class: "bone bone-line" }),
    );
  return h("div", { class: "people-grid", "aria-hidden": "true" }, Array.from({ length: 8 }, card));
}

/** Cards, a page at a time while scrolling, for thousands of people. */
function gridOf(everyone) {
  const grid = h("ul", { class: "people-grid" });
  const more = h("button", { class: "button", type: "button" });
  const foot = h("div", { class: "people-more" }, more);
  let drawn = 0;
  const draw = () => {
    for (const each of everyone.slice(drawn, drawn + PAGE_SIZE)) grid.append(cardOf(each));
    drawn = Math.min(drawn + PAGE_SIZE, everyone.length);
    more.textContent = `Show more (${count(everyone.length - drawn, "person", "people")})`;
    foot.hidden = drawn >= everyone.length;
  };
  more.addEventListener("click", draw);
  new IntersectionObserver(([entry]) => entry.isIntersecting && drawn < everyone.length && draw(), {
    rootMargin: "600px",
  }).observe(foot);
  draw();
  return [grid, foot];
}

function cardOf({ id, name, photos, thumbnail }) {
  const picture = portrait(name, thumbnail, "person-picture");
  const inside = [
    picture,
    h("span", { class: "person-name" }, name),
    photos === null
      ? null
      : h("span", { class: "soft little" }, photos ? count(photos, "photo") : "No photos yet"),
  ];
  return h(
    "li",
    {},
    id
      ? h("a", { class: "card person-card", href: `#/people/${encodeURIComponent(id)}` }, inside)
      : h("div", { class: "card person-card" }, inside),
  );
}

function noPeople({ editPeople, train }) {
  const how = editPeople
    ? [
        h("p", {}, "Add a person with a few photos. From then on the person is recognised."),
        h(
          "div",
          { class: "acts" },
          h("a", { class: "button main", href: "#/people/new" }, icon("plus"), "Add a person"),
          train
            ? h("a", { class: "button", href: "#/train" }, icon("train"), "Train from many photos")
            : null,
        ),
      ]
    : [
        h(
          "p",
          {},
          "This recognizer has no people yet. Adding people requires a key with the role operator.",
        ),
      ];
  return h(
    "div",
    { class: "card" },
    h("div", { class: "empty" }, icon("people"), h("h2", {}, "No people yet"), how),
  );
}
