/** Add a person: name, consent and photos. */

import { PhotoAdder } from "../parts/add-photos.js";
import { fill, freshId, h } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { errorNote, note } from "../parts/toast.js";
import { count } from "../words.js";

export function newPerson({ engine }) {
  const ids = { name: freshId("name"), consent: freshId("consent") };
  const name = h("input", {
    class: "input",
    id: ids.name,
    autocomplete: "off",
    required: true,
    maxlength: 200,
  });
  const consent = h("input", {
    class: "input",
    id: ids.consent,
    autocomplete: "off",
    maxlength: 500,
    placeholder: "For example: agreed by e-mail on 3 May",
  });
  const go = h(
    "button",
    { class: "button main", type: "submit", disabled: true },
    icon("check"),
    "Add this person",
  );
  const end = h("div");
  let person = null;

  const ready = () => {
    const { waiting } = adder;
    go.disabled = !name.value.trim() || !waiting || Boolean(person);
    go.lastChild.textContent = waiting
      ? `Add this person with ${count(waiting, "photo")}`
      : "Add this person";
    if (person && adder.taken) {
      fill(
        end,
        note("good", `${person.name} is enrolled with ${count(adder.taken, "photo")}.`, {
          acts: [
            h(
              "a",
              { class: "button small", href: `#/people/${encodeURIComponent(person.id)}` },
              "Show the person",
            ),
            h(
              "a",
              {
                class: "button small",
                href: "#/people/new",
                on: { click: () => window.dispatchEvent(new HashChangeEvent("hashchange")) },
              },
              "Add another person",
            ),
          ],
        }),
      );
    }
  };
  const adder = new PhotoAdder(engine.people, { onChange: ready });

  const submit = async (event) => {
    event.preventDefault();
    fill(end);
    go.disabled = true;
    try {
      person = await engine.people.create({
        name: name.value.trim(),
        consent: consent.value.trim(),
      });
    } catch (error) {
      person = null;
      ready();
      return fill(end, errorNote(error));
    }
    name.disabled = true;
    consent.disabled = true;
    go.hidden = true;
    if (!(await adder.enrol(person.id))) {
      fill(
        end,
        note(
          "warn",
          `None of these photos could be enrolled, so ${person.name} cannot be recognised yet.`,
          {
            hint: "Add other photos above, or enrol one anyway.",
          },
        ),
      );
    }
    return null;
  };
  name.addEventListener("input", ready);
  return h(
    "form",
    { class: "narrow stack", on: { submit } },
    h("a", { class: "back", href: "#/people" }, icon("back"), "People"),
    h("h1", { tabindex: -1 }, "Add a person"),
    h(
      "div",
      { class: "card padded stack" },
      h("div", { class: "field" }, h("label", { for: ids.name }, "Name"), name),
      h(
        "div",
        { class: "field" },
        h("label", { for: ids.consent }, "Consent ", h("span", { class: "soft" }, "(optional)")),
        consent,
        h(
          "p",
          { class: "hint" },
          "Faces are biometric data. Note here how this person agreed to be recognised.",
        ),
      ),
    ),
    h("div", { class: "card padded" }, adder.element),
    end,
    h("div", { class: "acts" }, go),
  );
}
