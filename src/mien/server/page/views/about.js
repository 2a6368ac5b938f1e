/** About: recognizers with weights, licences and measured rates, and what is stored. */

import { fill, h } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { errorNote } from "../parts/toast.js";
import { count, day, number, onceIn, rate } from "../words.js";
import { sessionsCard } from "./about/sessions.js";
import { versionsCard } from "./about/versions.js";

export function about({ engine, reloadRecognizers }) {
  const element = h("div", { class: "about narrow stack" });
  const enter = async () => {
    fill(
      element,
      header(),
      h("div", { class: "card padded" }, h("div", { class: "bone", style: { height: "180px" } })),
    );
    let recognizers;
    try {
      recognizers = await engine.recognizers();
    } catch (error) {
      return fill(element, header(), errorNote(error, enter));
    }
    const cards = recognizers.map(recognizerCard);
    const again = async () => {
      await reloadRecognizers();
      await enter();
    };
    return fill(
      element,
      header(),
      cards.length ? cards : nothing(),
      engine.features.versions ? versionsCard(engine, again) : null,
      engine.features.sessions ? sessionsCard(engine) : null,
      stored(recognizers),
      privacy(engine),
    );
  };
  return { element, title: "About", enter, leave() {} };
}

const header = () =>
  h(
    "header",
    { class: "view-head" },
    h(
      "div",
      {},
      h("h1", { tabindex: -1 }, "About"),
      h("p", { class: "lead" }, "The recognizers, how accurate they are, and what is stored."),
    ),
  );

const nothing = () =>
  h(
    "div",
    { class: "card" },
    h(
      "div",
      { class: "empty" },
      icon("about"),
      h("h2", {}, "No recognizer is in service"),
      h("p", {}, "Train one from photos, and put it in service."),
      h("div", { class: "acts" }, h("a", { class: "button main", href: "#/train" }, "Train")),
    ),
  );

function recognizerCard(recognizer) {
  const facts = [
    count(recognizer.people_count ?? recognizer.people?.length ?? 0, "person", "people"),
    recognizer.kind === "gallery"
      ? "a gallery: people can be added and forgotten"
      : "a recognizer file: its people are fixed",
    recognizer.created ? `created ${day(recognizer.created)}` : "",
  ]
    .filter(Boolean)
    .join(", ");
  return h(
    "section",
    { class: "card padded stack roomy" },
    h("div", {}, h("h2", {}, recognizer.handle), h("p", { class: "soft" }, `${facts}.`)),
    policyOf(recognizer.policy),
    measuredOf(recognizer.measured),
    weightsOf(recognizer.weights ?? [recognizer.detector, recognizer.embedder].filter(Boolean)),
  );
}

/** The policy: threshold and false positive rate, in a sentence. */
function policyOf(policy) {
  if (!policy) return null;
  if (policy.threshold > 1)
    return h(
      "div",
      { class: "stack tight" },
      h("h3", {}, "When a face gets a name"),
      h(
        "p",
        {},
        "Never, so far: there is not enough data to separate known people from strangers.",
      ),
    );
  return h(
    "div",
    { class: "stack tight" },
    h("h3", {}, "When a face gets a name"),
    h(
      "p",
      {},
      "The threshold is set so that ",
      h("b", {}, `a stranger is given a name at most ${onceIn(policy.false_positive_rate)}`),
      `: at a similarity of ${policy.threshold.toFixed(3)} or more.`,
      evidenceOf(policy),
    ),
    policy.supported === false
      ? h(
          "p",
          { class: "note warn" },
          icon("warn"),
          h(
            "span",
            {},
            "There are too few photos to support this rate; it is an estimate from other people’s faces.",
          ),
        )
      : null,
    policy.source ? h("p", { class: "soft little" }, policy.source) : null,
  );
}

/** The evidence for the rate: measured strangers, or only the statistics on the embedder's card. */
function evidenceOf({ basis, expected, strangers, supported }) {
  if (basis === "card" && !supported) return ""; // the threshold was raised above the card's; the note below gives the reason
  if (basis === "card")
    return ` By the embedder’s card ${rate(expected.value)} is expected; this was not measured on these people.`;
  if (strangers < 100) return "";
  return ` Measured on ${count(strangers, "photo")} of strangers: ${rate(expected.value)} (95 %: ${rate(expected.low)} to ${rate(expected.high)}).`;
}

/** Rates measured in training: names with numbers or intervals. */
function measuredOf(measured) {
  const rows = Object.entries(measured ?? {})
    .map(([name, value]) => [name.replaceAll("_", " "), valueWords(value)])
    .filter(([, value]) => value);
  if (!rows.length) return null;
  return h(
    "div",
    { class: "stack tight" },
    h("h3", {}, "Measured in training"),
    h(
      "dl",
      { class: "facts" },
      rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
  );
}

function valueWords(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "object" && "value" in value)
    return `${rate(value.value)} (95 %: ${rate(value.low)} to ${rate(value.high)})`;
  if (typeof value === "number")
    return Number.isInteger(value)
      ? number(value)
      : value > 0 && value <= 1
        ? rate(value)
        : value.toFixed(3);
  if (typeof value === "string") return value;
  return "";
}

function weightsOf(weights) {
  if (!weights.length) return null;
  return h(
    "div",
    { class: "stack tight" },
    h("h3", {}, "Weights and their licences"),
    h(
      "ul",
      { class: "weights" },
      weights.map((each) =>
        h(
          "li",
          {},
          h("p", {}, h("b", {}, each.id), " ", h("span", { class: "tag good" }, each.licence)),
          h(
            "p",
            { class: "soft little" },
            `Published by ${each.publisher}. Trained on: ${each.trained_on}`,
          ),
        ),
      ),
    ),
  );
}

function stored(recognizers) {
  const kept = recognizers.flatMap(({ stored: what }) => what ?? []);
  const always = [
    "Photos are processed in memory and not stored.",
    "For each enrolled photo: an embedding of the face (a list of numbers), the photo’s digest and its file name.",
  ];
  return h(
    "section",
    { class: "card padded stack" },
    h("h2", {}, "What is stored"),
    h(
      "ul",
      { class: "ticks" },
      (kept.length ? [...new Set(kept)] : always).map((line) =>
        h("li", {}, icon("check"), h("span", {}, line)),
      ),
    ),
  );
}

function privacy({ role, authentication, privacy: statements }) {
  if (statements)
    return h(
      "section",
      { class: "card padded stack" },
      h("h2", {}, "Privacy"),
      statements.map((text) => h("p", {}, text)),
    );
  const who = authentication
    ? `You are signed in as ${role}.`
    : "This server requires no key: anyone who can reach it may do everything. By default only its own machine can reach it.";
  return h(
    "section",
    { class: "card padded stack" },
    h("h2", {}, "Privacy"),
    h(
      "p",
      {},
      "This page and its server load nothing from other hosts and send nothing to them. There is no liveness test: a photo of a photo is accepted, so do not use it to unlock anything. Faces are biometric data; ask people first.",
    ),
    h(
      "p",
      { class: "soft little" },
      who,
      " For programs: the API is described in ",
      h("a", { href: "openapi.json" }, "openapi.json"),
      ".",
    ),
  );
}
