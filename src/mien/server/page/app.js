/** Frame of the page: sign-in, navigation between views, choice of the recognizer. */

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
  recognise: { make: recognise, label: "Recognise" },
  live: { make: live, label: "Live" },
  people: { make: people, label: "People", available: ({ people: listed }) => listed },
  train: { make: train, label: "Train", available: ({ train: allowed }) => allowed },
  about: { make: about, label: "About" },
};

const app = document.getElementById("app");
const engine = new ServerEngine();
let frame = null;

/** Start, or restart after signing in or out. */
async function start() {
  try {
    if (await engine.start()) showFrame();
    else showSignIn();
  } catch (error) {
    closeFrame();
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

function showSignIn() {
  closeFrame();
  document.title = "Sign in · Mien";
  fill(app, signIn(engine, showFrame));
}

function showFrame() {
  closeFrame();
  frame = makeFrame();
  fill(app, frame.element);
  frame.route();
  window.addEventListener("hashchange", frame.route);
}

function closeFrame() {
  if (!frame) return;
  window.removeEventListener("hashchange", frame.route);
  frame.current?.leave();
  frame = null;
}

/** The header: brand, tabs and tools. */
function header(links, picker) {
  const signOut = h(
    "button",
    {
      class: "button quiet icon",
      type: "button",
      "aria-label": "Sign out",
      title: "Sign out",
      on: { click: () => engine.signOut().finally(start) },
    },
    icon("leave"),
  );
  return h(
    "header",
    { class: "bar" },
    h(
      "div",
      { class: "bar-inner" },
      h(
        "a",
        { class: "brand", href: "#/recognise", "aria-label": "Mien, first view" },
        icon("mark"),
        h("span", { "aria-hidden": "true" }, "mien"),
      ),
      h("nav", { class: "tabs", "aria-label": "Views" }, links),
      h(
        "div",
        { class: "bar-tools" },
        picker,
        themeButton(),
        engine.features.signOut ? signOut : null,
      ),
    ),
  );
}

/** The choice of the recognizer; none if there is only one. */
function recognizerPicker(recognizers, onChange) {
  if (recognizers.length < 2) return null;
  const current = engine.current?.handle;
  return h(
    "select",
    {
      class: "input small",
      "aria-label": "Recognizer",
      title: "Recognizer in use",
      value: current,
      on: { change: (event) => onChange(event.target.value) },
    },
    recognizers.map(({ handle }) =>
      h("option", { value: handle, selected: handle === current }, handle),
    ),
  );
}

/** Header, tabs and the current view. Views are kept as long as the frame, with their state. */
function makeFrame() {
  const views = new Map();
  const names = Object.keys(VIEWS).filter(
    (name) => VIEWS[name].available?.(engine.features) ?? true,
  );
  const links = new Map(
    names.map((name) => [
      name,
      h("a", { href: `#/${name}` }, icon(name), h("span", {}, VIEWS[name].label)),
    ]),
  );
  const main = h("main", { id: "view", tabindex: -1 });
  const picker = h("div");
  const element = h("div", {}, header([...links.values()], picker), main);

  const context = {
    engine,
    /** Reload the list of recognizers and select `handle`. */
    async reloadRecognizers(handle = engine.current?.handle) {
      await engine.recognizers();
      choose(handle);
    },
  };
  const drawPicker = () => fill(picker, recognizerPicker(engine.listed, change));
  /** Select another recognizer; the other views are rebuilt when they are next shown. */
  const choose = (handle) => {
    engine.use(handle);
    drawPicker();
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
    const selected = links.has(name) ? name : names[0];
    if (self.current && self.current !== views.get(selected)) self.current.leave();
    if (!views.has(selected)) views.set(selected, VIEWS[selected].make(context));
    const first = self.current === null;
    self.current = views.get(selected);
    for (const [each, link] of links) {
      if (each === selected) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = `${self.current.title} · Mien`;
    fill(main, self.current.element);
    self.current.enter?.(rest.filter(Boolean));
    window.scrollTo(0, 0);
    // Move the focus to the new view for screen readers and keyboards, except at the start.
    if (!first) (main.querySelector("h1") ?? main).focus({ preventScroll: true });
  };
  const self = { element, route, current: null };
  drawPicker();
  return self;
}

engine.onSignedOut = () => frame && showSignIn();
start();
