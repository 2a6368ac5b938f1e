/** A photo with its boxes, caption and upload progress. */

import { h, progressBar } from "./dom.js";
import { icon } from "./icons.js";
import { photoBoxes } from "./overlay.js";
import { bytes } from "../words.js";

/** The photo with its boxes; if the browser cannot show it, an empty area with the faces. */
export function photoStage(item, onRemove) {
  const figure = h("figure", { class: "stage" });
  const image = h("img", {
    class: "stage-photo",
    src: item.url,
    alt: item.file.name ? `The photo ${item.file.name}` : "The photo",
  });
  const frame = h("div", { class: "stage-frame" }, image);
  const caption = h(
    "figcaption",
    { class: "stage-caption" },
    h("span", { class: "file-name" }, item.file.name || "Photo"),
    h("span", {}, bytes(item.file.size)),
    h(
      "button",
      {
        class: "button quiet icon small",
        type: "button",
        "aria-label": "Remove this photo",
        on: { click: onRemove },
      },
      icon("trash"),
    ),
  );
  figure.append(frame, caption);
  const stage = { element: figure, choose() {}, onChoose() {}, progress() {} };
  if (item.answer) {
    const boxes = photoBoxes(item.answer, (index) => {
      stage.choose(index);
      stage.onChoose(index);
    });
    stage.choose = boxes.choose;
    frame.append(boxes.element);
  }
  image.addEventListener(
    "error",
    () => {
      frame.classList.add("no-picture");
      image.replaceWith(placeholder(item));
    },
    { once: true },
  );
  if (item.state === "sending" || item.state === "waiting") showProgress(item, stage, frame);
  return stage;
}

/** The area in place of a photo that the browser cannot show, with the crops of the faces. */
function placeholder({ answer, state }) {
  const { width = 4, height = 3, faces = [] } = answer ?? {};
  const processed = state === "failed" ? "" : " It is processed anyway.";
  const text = `Your browser cannot show this photo format.${processed}`;
  const area = h("div", { class: "stage-sheet" }, answer ? null : h("p", {}, text));
  area.style.aspectRatio = `${width} / ${height}`;
  const percent = (value, whole) => `${(100 * value) / whole}%`;
  for (const face of faces.filter(({ crop }) => crop)) {
    const [left, top, right, bottom] = face.box;
    const style = {
      left: percent(left, width),
      top: percent(top, height),
      width: percent(right - left, width),
      height: percent(bottom - top, height),
    };
    area.append(h("img", { src: face.crop, alt: "", style }));
  }
  return area;
}

/** A progress bar over the photo, for the upload and then for the detection. */
function showProgress(item, stage, frame) {
  const bar = progressBar("Upload of the photo");
  const status = h("span", { role: "status" }, "Waiting");
  frame.append(h("div", { class: "stage-busy" }, status, bar.element));
  stage.progress = () => {
    const uploading = item.sent < item.total;
    bar.set(item.sent, uploading ? item.total : null);
    status.textContent = uploading
      ? `Sending ${Math.round((100 * item.sent) / item.total)} %`
      : "Looking for faces";
  };
  if (item.state === "sending") stage.progress();
}
