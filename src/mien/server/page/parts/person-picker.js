/** A field to choose a person: known people are suggested, new names can be accepted. */

import { fill, freshId, h, portrait } from "./dom.js";
import { icon } from "./icons.js";

const MAX_SUGGESTIONS = 7;

/** Lower case without accents: "José" is found by "jose". */
const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/**
 * Make the field. `people` is a promise of `{id, name, photos, thumbnail}`s; `onPick({id, name})` is
 * called with a known person, or with `{name}` for a new one if `mayBeNew`.
 */
export function personPicker({ label, people, onPick, mayBeNew = true, without = [] }) {
  const ids = { field: freshId("who"), list: freshId("list") };
  const input = h("input", {
    class: "input",
    id: ids.field,
    type: "text",
    role: "combobox",
    autocomplete: "off",
    spellcheck: "false",
    "aria-expanded": "false",
    "aria-controls": ids.list,
    "aria-autocomplete": "list",
    placeholder: mayBeNew ? "A name, known or new" : "A name",
  });
  const list = h("ul", {
    class: "options",
    id: ids.list,
    role: "listbox",
    "aria-label": label,
    hidden: true,
  });
  const element = h(
    "div",
    { class: "field picker" },
    h("label", { for: ids.field }, label),
    h("div", { class: "search" }, icon("search"), input),
    list,
  );
  let knownPeople = [];
  let options = [];
  let active = -1;

  Promise.resolve(people).then(
    (found) => {
      knownPeople = found.filter(({ id }) => !without.includes(id));
      if (document.activeElement === input) suggest();
    },
    () => {},
  );

  const pick = (option) => {
    hide();
    input.value = option.name;
    onPick(option);
  };
  const hide = () => {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const suggest = () => {
    const typed = input.value.trim();
    const query = plain(typed);
    const starts = (person) =>
      plain(person.name)
        .split(" ")
        .some((word) => word.startsWith(query));
    const found = knownPeople.filter((person) => plain(person.name).includes(query));
    found.sort((a, b) => starts(b) - starts(a));
    options = found.slice(0, MAX_SUGGESTIONS);
    if (mayBeNew && typed && !knownPeople.some(({ name }) => plain(name) === query))
      options.push({ name: typed, isNew: true });
    fill(
      list,
      options.map((option, index) =>
        h(
          "li",
          {
            role: "option",
            id: `${ids.list}-${index}`,
            "aria-selected": "false",
            on: { pointerdown: (event) => event.preventDefault(), click: () => pick(option) },
          },
          option.isNew
            ? h("span", { class: "portrait small initials" }, icon("plus"))
            : portrait(option.name, option.thumbnail, "small"),
          h("span", {}, option.isNew ? `Add “${option.name}” as a new person` : option.name),
        ),
      ),
    );
    list.hidden = !options.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    mark(options.length && typed ? 0 : -1);
  };
  const mark = (index) => {
    active = index;
    [...list.children].forEach((item, i) =>
      item.setAttribute("aria-selected", String(i === index)),
    );
    if (index >= 0) {
      input.setAttribute("aria-activedescendant", list.children[index].id);
      list.children[index].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  };
  input.addEventListener("input", suggest);
  input.addEventListener("focus", suggest);
  input.addEventListener("blur", hide);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) suggest();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (options.length) mark((active + step + options.length) % options.length);
    } else if (event.key === "Enter" && !list.hidden && active >= 0) {
      event.preventDefault();
      pick(options[active]);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      hide();
    }
  });
  return { element, focus: () => input.focus() };
}
