/** Sign in with an API key. */

import { fill, freshId, h } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { note } from "../parts/toast.js";

/** The sign-in page; `onDone` is called once the key is accepted. */
export function signIn(engine, onDone) {
  const id = freshId("key");
  const key = h("input", {
    class: "input",
    id,
    type: "password",
    autocomplete: "current-password",
    required: true,
    spellcheck: "false",
    autofocus: true,
  });
  const go = h("button", { class: "button main", type: "submit" }, icon("key"), "Sign in");
  const trouble = h("div");
  const submit = async (event) => {
    event.preventDefault();
    go.disabled = true;
    fill(trouble);
    try {
      await engine.signIn(key.value.trim());
      onDone();
    } catch (error) {
      const wrong = error.kind === "signed-out" || error.kind === "forbidden";
      fill(
        trouble,
        note("bad", wrong ? "This key is unknown or revoked." : error.message, {
          hint: wrong ? "Ask the operator of this server for a key." : error.hint,
        }),
      );
      key.select();
    } finally {
      go.disabled = false;
    }
  };
  const element = h(
    "main",
    { class: "alone", id: "view" },
    h("div", { class: "brand" }, icon("mark"), h("span", {}, "mien")),
    h(
      "form",
      { class: "card padded stack", on: { submit } },
      h("h1", { class: "sign-title" }, "Sign in"),
      h("p", { class: "soft" }, "This server requires a key. Enter the one you were given."),
      h("div", { class: "field" }, h("label", { for: id }, "Key"), key),
      trouble,
      go,
    ),
  );
  queueMicrotask(() => key.focus());
  return element;
}
