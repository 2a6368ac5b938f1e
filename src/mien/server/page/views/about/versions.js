/** Trained recognizers: put in service, download, delete. */

import { confirm } from "../../parts/dialog.js";
import { fill, h } from "../../parts/dom.js";
import { icon } from "../../parts/icons.js";
import { errorNote, toast } from "../../parts/toast.js";
import { bytes, count, moment } from "../../words.js";

/** Make the card; it is empty while nothing was trained. `again` redraws the view. */
export function versionsCard(engine, again) {
  const element = h("div");
  const draw = async () => {
    let versions;
    try {
      versions = await engine.versions.list();
    } catch (error) {
      return fill(element, errorNote(error, draw));
    }
    return fill(element, versions.length ? card(engine, versions, again) : null);
  };
  draw();
  return element;
}

function card(engine, versions, again) {
  return h(
    "section",
    { class: "card padded stack", "aria-labelledby": "versions-title" },
    h(
      "div",
      {},
      h("h2", { id: "versions-title" }, "Trained recognizers"),
      h(
        "p",
        { class: "soft" },
        "Each holds the names of its people and one prototype of each face, until it is deleted.",
      ),
    ),
    h(
      "ul",
      { class: "versions" },
      versions.map((version) => row(engine, version, again)),
    ),
  );
}

function row(engine, version, again) {
  const { handle, created, photos, bytes: size } = version;
  const facts = [
    `trained ${moment(created)}`,
    photos ? count(photos, "photo") : "",
    bytes(size),
  ].filter(Boolean);
  return h(
    "li",
    {},
    h("div", {}, h("b", {}, handle), h("p", { class: "soft little" }, facts.join(", "))),
    h(
      "div",
      { class: "acts" },
      version.inService ? h("span", { class: "tag good" }, "in service") : null,
      serviceButton(engine, version, again),
      engine.features.service ? download(engine, version) : null,
      version.inService ? null : deleteButton(engine, version, again),
    ),
  );
}

function serviceButton(engine, { handle, version, inService }, again) {
  if (!engine.features.service) return null;
  const act = inService
    ? () => engine.versions.takeOutOfService(handle)
    : () => engine.putInService(handle, version);
  const done = inService ? `${handle} is out of service.` : "The version is in service.";
  return h(
    "button",
    { class: "button small", type: "button", on: { click: () => run(act, done, "swap", again) } },
    inService ? "Take out of service" : "Put in service",
  );
}

function download(engine, { handle, version }) {
  return h(
    "a",
    {
      class: "button small",
      href: engine.versions.downloadUrl(handle, version),
      download: `${handle}-${version}.onnx`,
    },
    icon("down"),
    "Download",
  );
}

function deleteButton(engine, version, again) {
  return h(
    "button",
    {
      class: "button small danger",
      type: "button",
      on: { click: async () => (await deleteVersion(engine, version)) && again() },
    },
    icon("trash"),
    "Delete…",
  );
}

/** Delete a version after asking; resolves to whether it was deleted. */
export async function deleteVersion(engine, { handle, version, created }) {
  const sure = await confirm({
    title: `Delete ${handle}?`,
    text: [
      `The recognizer trained ${moment(created ?? version.slice(0, 15))} is deleted, with its report and what is left of its photos.`,
      "This cannot be undone.",
    ],
    yes: "Delete for good",
  });
  return (
    sure &&
    run(() => engine.versions.remove(handle, version), "The recognizer is deleted.", "trash")
  );
}

async function run(act, done, picture, again = () => {}) {
  try {
    await act();
  } catch (error) {
    toast(error.message, "warn");
    return false;
  }
  toast(done, picture);
  await again();
  return true;
}
