/** Recognise: names the people in photos. Of an engine it needs only `identify`. */

import { hasCameras } from "../camera/camera.js";
import { fill, h } from "../parts/dom.js";
import { wasAborted } from "../api/engine.js";
import { faceCard } from "../parts/face-card.js";
import { icon } from "../parts/icons.js";
import { photoStage } from "../parts/photo-stage.js";
import { choose, filesOf, isPhoto, acceptDrops } from "../photos.js";
import { takePhoto } from "../camera/take-photo.js";
import { announce, errorNote, note, toast } from "../parts/toast.js";
import { count } from "../words.js";

export function recognise({ engine }) {
  const items = [];
  let chosen = null;

  const add = (files) => {
    const photos = files.map(({ file }) => file).filter(isPhoto);
    if (files.length && !photos.length)
      toast("Not a photo. Supported are JPEG, PNG, WebP, AVIF and HEIC.", "warn");
    const fresh = photos.map((file) => ({
      file,
      url: URL.createObjectURL(file),
      state: "waiting",
      answer: null,
      error: null,
      sent: 0,
      total: 0,
    }));
    items.push(...fresh);
    if (fresh.length) show(fresh[0]);
    work();
  };

  // One photo after another: each result is shown while the next photo is processed.
  let working = false;
  const work = async () => {
    if (working) return;
    working = true;
    for (let item = next(); item; item = next()) await identify(item);
    working = false;
  };
  const next = () => items.find(({ state }) => state === "waiting");
  const identify = async (item) => {
    item.state = "sending";
    item.error = null;
    item.abort = new AbortController();
    refresh(item);
    try {
      item.answer = await engine.identify(item.file, {
        signal: item.abort.signal,
        onUpload: (sent, total) => {
          item.sent = sent;
          item.total = total;
          item.onProgress?.();
        },
      });
      item.state = "done";
    } catch (error) {
      if (wasAborted(error)) return;
      item.state = "failed";
      item.error = error;
    }
    if (items.includes(item)) refresh(item);
    if (item === chosen && item.state === "done") announce(summary(item.answer));
  };

  const remove = (item) => {
    item.abort?.abort();
    URL.revokeObjectURL(item.url);
    const at = items.indexOf(item);
    items.splice(at, 1);
    show(items[Math.min(at, items.length - 1)] ?? null);
  };
  const clear = () => {
    for (const item of items.splice(0)) {
      item.abort?.abort();
      URL.revokeObjectURL(item.url);
    }
    show(null);
  };

  const correct = {
    people: () => engine.people.list(),
    isNot: async (face, person) => {
      await engine.isNot(face.token, person.id);
      toast(`Noted: this face is not ${person.name}.`);
      await again();
    },
    is: async (face, person) => {
      await engine.is(face.token, person.id ? { id: person.id } : { name: person.name });
      toast(
        person.id ? `Enrolled: this is ${person.name}.` : `${person.name} is known from now on.`,
      );
      await again();
    },
  };
  const again = () => identify(chosen);

  const element = h("div", { class: "recognise" });
  acceptDrops(element, add);

  const start = () => choose().then(add);
  const shoot = async () => {
    const file = await takePhoto();
    if (file) add([{ file }]);
  };
  const buttons = (main) => [
    h(
      "button",
      { class: `button ${main ? "main" : ""}`, type: "button", on: { click: start } },
      icon("photo"),
      main ? "Choose photos" : "More photos",
    ),
    h(
      "button",
      {
        class: "button",
        type: "button",
        on: { click: shoot },
        title: hasCameras() ? null : "Works on a secure page only",
      },
      icon("camera"),
      "Take a photo",
    ),
  ];

  const show = (item) => {
    chosen = item;
    if (!item) return fill(element, welcome(buttons(true), engine));
    const head = h(
      "header",
      { class: "view-head" },
      h("h1", { tabindex: -1 }, "Who is in this photo?"),
      h(
        "div",
        { class: "acts" },
        buttons(false),
        h("button", { class: "button quiet", type: "button", on: { click: clear } }, "Clear"),
      ),
    );
    const stage = photoStage(item, () => remove(item));
    const results = h("div", { class: "results stack" });
    fill(
      element,
      head,
      h(
        "div",
        { class: "recognise-grid" },
        h("div", { class: "stage-side stack" }, stage.element, items.length > 1 ? strip() : null),
        results,
      ),
    );
    item.onProgress = stage.progress;
    showResults(item, results, stage);
    return null;
  };
  const refresh = (item) => {
    if (item === chosen) show(item);
    else if (chosen) element.querySelector(".strip")?.replaceWith(strip());
  };

  const strip = () =>
    h(
      "ul",
      { class: "strip", "aria-label": "Photos" },
      items.map((item, index) =>
        h(
          "li",
          {},
          h(
            "button",
            {
              type: "button",
              class: item === chosen ? "chosen" : "",
              "aria-current": item === chosen ? "true" : null,
              "aria-label": `Photo ${index + 1}: ${item.file.name || "photo"}, ${stateWords(item)}`,
              on: { click: () => show(item) },
            },
            h("img", { src: item.url, alt: "", on: { error: (event) => event.target.remove() } }),
            badge(item),
          ),
        ),
      ),
    );

  const showResults = (item, results, stage) => {
    if (item.state === "failed")
      return fill(
        results,
        errorNote(item.error, () => {
          item.state = "waiting";
          work();
        }),
      );
    if (item.state !== "done" && !item.answer) return fill(results, skeleton(), skeleton());
    const { faces } = item.answer;
    if (!faces.length)
      return fill(
        results,
        note("", "No face was found in this photo.", {
          hint: "Faces narrower than about 12 pixels or 1 % of the photo’s long side, in profile, or covered are seldom found. Try a closer photo.",
        }),
      );
    const cards = faces.map((face, index) =>
      faceCard(face, index, {
        correct: engine.features.corrections && face.token ? correct : null,
        others: faces.filter((other) => other !== face),
        onHover: stage.choose,
        onChoose: stage.choose,
      }),
    );
    stage.onChoose = (index) => {
      cards[index].scrollIntoView({ block: "nearest", behavior: "smooth" });
      cards.forEach((card, i) => card.classList.toggle("chosen", i === index));
    };
    return fill(results, h("p", { class: "summary soft" }, summary(item.answer)), cards);
  };

  document.addEventListener("paste", async (event) => {
    if (!element.isConnected || /^(input|textarea)$/i.test(event.target.tagName)) return;
    const files = await filesOf(event.clipboardData);
    if (files.length) add(files);
  });
  show(null);
  return { element, title: "Recognise", leave() {} };
}

function welcome(buttons, engine) {
  return h(
    "div",
    { class: "welcome" },
    h(
      "div",
      { class: "drop-card" },
      h(
        "div",
        { class: "drop-inner" },
        h("span", { class: "drop-mark" }, icon("mark")),
        h("h1", { tabindex: -1 }, "Who is in this photo?"),
        h(
          "p",
          { class: "lead" },
          "Known people get a name with a probability. Strangers stay unknown.",
        ),
        h("div", { class: "acts" }, buttons),
        h("p", { class: "soft little drop-hint" }, "Or drop photos anywhere here, or paste one."),
      ),
    ),
    h(
      "p",
      { class: "soft little privacy" },
      icon("shield"),
      `Photos are processed ${engine.place}.`,
    ),
  );
}

function skeleton() {
  const line = (width) => h("span", { class: "bone", style: { width, height: "14px" } });
  return h(
    "div",
    { class: "card face-card", "aria-hidden": "true" },
    h(
      "div",
      { class: "face-head" },
      h("span", { class: "bone portrait" }),
      h("div", { class: "stack tight face-who" }, line("55%"), line("80%"), line("65%")),
    ),
  );
}

function summary({ faces }) {
  const names = faces.filter(({ name }) => name !== null).map(({ name }) => name);
  const strangers = faces.length - names.length;
  if (!faces.length) return "No face was found.";
  if (!names.length) return `${count(strangers, "face")}, no known person.`;
  const all = strangers ? [...names, count(strangers, "unknown face")] : names;
  return `${new Intl.ListFormat("en-GB").format(all)}.`;
}

function stateWords({ state, answer }) {
  if (state === "done") return summary(answer);
  return { waiting: "waiting", sending: "in progress", failed: "not read" }[state];
}

function badge({ state, answer }) {
  if (state === "failed") return h("span", { class: "badge bad" }, icon("warn"));
  if (state !== "done") return h("span", { class: "badge" }, h("span", { class: "spinner" }));
  const named = answer.faces.filter(({ name }) => name !== null).length;
  return h("span", { class: `badge ${named ? "good" : ""}` }, `${named}/${answer.faces.length}`);
}
