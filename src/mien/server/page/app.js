/** The page's frame: who is signed in, which view is shown, which recognizer answers. */

import { fill, h } from "./parts/dom.js";
import { ServerEngine } from "./api/engine-server.js";
import { icon } from "./parts/icons.js";
import { themeButton } from "./parts/theme.js";
import { errorNote } from "./parts/toast.js";
import { about } from "./views/about.js";
import { live } from "./views/live.js";
import { people } from "./views/people.js";
import { recognise } from "./views/recognise.js";
import { signIn } from "./views/sign-in.js";
import { train } from "./views/train.js";

const VIEWS = {
  recognise: { make: recognise, says: "Recognise" },
  live: { make: live, says: "Live" },
  people: { make: people, says: "People", when: ({ people: can }) => can },
  train: { make: train, says: "Train", when: ({ train: can }) => can },
  about: { make: about, says: "About" },
};

const app = document.getElementById("app");
const engine = new ServerEngine();
let frame = null;

/** Begin, or begin again after signing in or out. */
async function start() {
  try {
    if (await engine.start()) enter();
    else ask();
  } catch (error) {
    leave();
    fill(
      app,
      h(
        "main",
        { class: "alone", id: "view" },
        h("div", { class: "brand" }, icon("mark"), h("span", {}, "mien")),
        errorNote(error, start),
      ),
    );
  }
}

function ask() {
  leave();
  document.title = "Sign in · Mien";
  fill(app, signIn(engine, enter));
}

function enter() {
  leave();
  frame = makeFrame();
  fill(app, frame.element);
  frame.route();
  window.addEventListener("hashchange", frame.route);
}

function leave() {
  if (!frame) return;
  window.removeEventListener("hashchange", frame.route);
  frame.current?.leave();
  frame = null;
}

/** Bar, tabs and the place of the view; views live as long as the frame, so that going away loses nothing. */
function makeFrame() {
  const views = new Map();
  const names = Object.keys(VIEWS).filter((name) => VIEWS[name].when?.(engine.features) ?? true);
  const links = new Map(
    names.map((name) => [
      name,
      h("a", { href: `#/${name}` }, icon(name), h("span", {}, VIEWS[name].says)),
    ]),
  );
  const main = h("main", { id: "view", tabindex: -1 });
  const picker = h("div");
  const element = h(
    "div",
    {},
    h(
      "header",
      { class: "bar" },
      h(
        "div",
        { class: "bar-inner" },
        h(
          "a",
          { class: "brand", href: "#/recognise", "aria-label": "Mien, to the first view" },
          icon("mark"),
          h("span", { "aria-hidden": "true" }, "mien"),
        ),
        h("nav", { class: "tabs", "aria-label": "Views" }, [...links.values()]),
        h(
          "div",
          { class: "bar-tools" },
          picker,
          themeButton(),
          engine.features.signOut
            ? h(
                "button",
                {
                  class: "button quiet icon",
                  type: "button",
                  "aria-label": "Sign out",
                  title: "Sign out",
                  on: { click: () => engine.signOut().finally(start) },
                },
                icon("leave"),
              )
            : null,
        ),
      ),
    ),
    main,
  );

  const context = {
    engine,
    /** Recognizers came, went or changed: ask which there are, and have `handle` answer if one is named. */
    async reloadRecognizers(handle = engine.current?.handle) {
      await engine.recognizers();
      choose(handle);
    },
  };
  const choices = (recognizers) =>
    fill(
      picker,
      recognizers.length < 2
        ? null
        : h(
            "select",
            {
              class: "input small",
              "aria-label": "Recognizer",
              title: "Which recognizer answers",
              value: engine.current?.handle,
              on: { change: (event) => change(event.target.value) },
            },
            recognizers.map(({ handle }) =>
              h("option", { value: handle, selected: handle === engine.current?.handle }, handle),
            ),
          ),
    );
  /** Have another recognizer answer; views that show answers of the old one begin anew when next come to. */
  const choose = (handle) => {
    engine.use(handle);
    choices(engine.listed);
    for (const [name, view] of views) {
      if (view !== self.current) views.delete(name);
    }
  };
  const change = (handle) => {
    choose(handle);
    self.current?.leave();
    views.clear();
    route();
  };

  const route = () => {
    const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
    const wanted = links.has(name) ? name : names[0];
    if (self.current && self.current !== views.get(wanted)) self.current.leave();
    if (!views.has(wanted)) views.set(wanted, VIEWS[wanted].make(context));
    const first = self.current === null;
    self.current = views.get(wanted);
    for (const [each, link] of links) {
      if (each === wanted) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = `${self.current.title} · Mien`;
    fill(main, self.current.element);
    self.current.enter?.(rest.filter(Boolean));
    window.scrollTo(0, 0);
    // Whoever reads by ear or keyboard is taken to the new view; at the first one nobody went anywhere.
    if (!first) (main.querySelector("h1") ?? main).focus({ preventScroll: true });
  };
  const self = { element, route, current: null };
  choices(engine.listed);
  return self;
}

engine.onSignedOut = () => frame && ask();
start();
