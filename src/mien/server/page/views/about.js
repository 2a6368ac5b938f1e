/** About: whose weights answer, under which licences, how good they were measured to be, what is stored. */

import { fill, h } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { errorNote, toast } from "../parts/toast.js";
import { count, day, moment, number, onceIn, rate } from "../words.js";

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
    const cards = recognizers.map((each) =>
      recognizerCard(engine, each, async () => {
        await reloadRecognizers();
        await enter();
      }),
    );
    return fill(
      element,
      header(),
      cards.length ? cards : nothing(),
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
      h("p", { class: "lead" }, "What answers here, how good it is, and what is kept."),
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

function recognizerCard(engine, recognizer, again) {
  const facts = [
    count(recognizer.people_count ?? recognizer.people?.length ?? 0, "person", "people"),
    recognizer.kind === "gallery"
      ? "a living gallery: people can be added and forgotten"
      : "a recognizer file: its people are fixed",
    recognizer.created ? `made ${day(recognizer.created)}` : "",
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
    versionsOf(engine, recognizer, again),
  );
}

/** When it gives a name, in one sentence and two numbers. */
function policyOf(policy) {
  if (!policy) return null;
  if (policy.threshold > 1)
    return h(
      "div",
      { class: "stack tight" },
      h("h3", {}, "When a name is given"),
      h("p", {}, "To nobody yet: too little is known to tell people from strangers."),
    );
  return h(
    "div",
    { class: "stack tight" },
    h("h3", {}, "When a name is given"),
    h(
      "p",
      {},
      "It is set so that ",
      h("b", {}, `a stranger is given a name at most ${onceIn(policy.false_positive_rate)}`),
      `: at a similarity of ${policy.threshold.toFixed(3)} or more.`,
      borneBy(policy),
    ),
    policy.supported === false
      ? h(
          "p",
          { class: "note warn" },
          icon("warn"),
          h(
            "span",
            {},
            "There are too few photos to promise this rate; it is an estimate from other people’s faces.",
          ),
        )
      : null,
    policy.source ? h("p", { class: "soft little" }, policy.source) : null,
  );
}

/** What the rate stands on: strangers who were searched here, or only what the embedder's card says of others. */
function borneBy({ basis, expected, strangers, supported }) {
  if (basis === "card" && !supported) return ""; // the threshold was raised beyond the card's; the note below says why
  if (basis === "card")
    return ` By the embedder’s card ${rate(expected.value)} are to be expected; that was not measured on these people.`;
  if (strangers < 100) return "";
  return ` Measured on ${count(strangers, "photo")} of strangers: ${rate(expected.value)} (95 %: ${rate(expected.low)} to ${rate(expected.high)}).`;
}

/** Measured rates, whatever was measured when it was made: names with numbers, or with intervals. */
function measuredOf(measured) {
  const rows = Object.entries(measured ?? {})
    .map(([name, value]) => [name.replaceAll("_", " "), valueWords(value)])
    .filter(([, value]) => value);
  if (!rows.length) return null;
  return h(
    "div",
    { class: "stack tight" },
    h("h3", {}, "Measured when it was made"),
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

function versionsOf(engine, recognizer, again) {
  const versions = recognizer.versions ?? [];
  if (versions.length < 2) return null;
  const put = async (version) => {
    try {
      await engine.putInService(recognizer.handle, version.version);
      toast("Changed over.", "swap");
      await again();
    } catch (error) {
      toast(error.message, "warn");
    }
  };
  return h(
    "div",
    { class: "stack tight" },
    h("h3", {}, "Versions"),
    h(
      "ul",
      { class: "versions" },
      versions.map((version) =>
        h(
          "li",
          {},
          h(
            "span",
            {},
            version.created
              ? `Trained ${moment(version.created)}`
              : "As it was given when the server started",
          ),
          version.in_service
            ? h("span", { class: "tag good" }, "in service")
            : engine.features.service
              ? h(
                  "button",
                  { class: "button small", type: "button", on: { click: () => put(version) } },
                  "Put in service",
                )
              : null,
        ),
      ),
    ),
  );
}

function stored(recognizers) {
  const kept = recognizers.flatMap(({ stored: what }) => what ?? []);
  const always = [
    "Photos that are recognised here are looked at in memory and not kept.",
    "Of each photo a person was learned from: 128 or so numbers that stand for the face, the photo’s digest and where it came from.",
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

function privacy({ role, authentication, privacy: said }) {
  if (said)
    return h(
      "section",
      { class: "card padded stack" },
      h("h2", {}, "Private by its nature"),
      said.map((text) => h("p", {}, text)),
    );
  const who = authentication
    ? `You are signed in as ${role}.`
    : "This server asks for no key: whoever reaches it may do everything. By itself it answers to its own machine only.";
  return h(
    "section",
    { class: "card padded stack" },
    h("h2", {}, "Private by its nature"),
    h(
      "p",
      {},
      "This page and its server load nothing from anywhere and report to nobody. There is no test of liveness: a photo of a photo is a photo, so unlock nothing with it. Faces are biometric data; ask people first.",
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
