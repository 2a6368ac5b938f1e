/** Boxes and names over a picture: buttons on a photo, labels on a video. */

import { h } from "./dom.js";

const LABEL = 34; // pixels on the screen for a name above its box
const SMALL = 520; // a narrower picture has smaller names

/** Position a box in shares of the picture; `mirrored` for a mirrored video, `shown` is the height on the screen. */
function place(element, box, width, height, mirrored, shown) {
  const left = mirrored ? width - box[2] : box[0];
  element.style.left = `${(100 * left) / width}%`;
  element.style.top = `${(100 * box[1]) / height}%`;
  element.style.width = `${(100 * (box[2] - box[0])) / width}%`;
  element.style.height = `${(100 * (box[3] - box[1])) / height}%`;
  element.classList.toggle("label-below", (box[1] / height) * shown < LABEL);
  element.classList.toggle("label-left", left + (box[2] - box[0]) / 2 > width * 0.75);
}

/** Boxes on a photo, one button per face; `onChoose(index)` is called on a press. */
export function photoBoxes({ width, height, faces }, onChoose) {
  const crowded = faces.length > 8;
  const buttons = faces.map((face, index) => {
    const label = face.name ?? "Unknown";
    const button = h(
      "button",
      {
        class: `box ${face.name === null ? "unknown" : "known"} ${crowded ? "crowded" : ""}`,
        type: "button",
        "aria-label": `Face ${index + 1} of ${faces.length}: ${label}`,
        on: { click: () => onChoose(index) },
      },
      h("span", { class: "box-label", "aria-hidden": "true" }, label),
    );
    return button;
  });
  const element = h(
    "div",
    { class: "boxes", role: "group", "aria-label": "Faces in the photo" },
    buttons,
  );
  new ResizeObserver(() => {
    element.classList.toggle("small", element.clientWidth < SMALL);
    buttons.forEach((button, index) =>
      place(button, faces[index].box, width, height, false, element.clientHeight),
    );
  }).observe(element);
  const choose = (index) =>
    buttons.forEach((button, i) => {
      button.classList.toggle("chosen", i === index);
      button.setAttribute("aria-pressed", String(i === index));
    });
  return { element, choose };
}

/** Boxes of tracks on a video; call `draw(tracks, width, height, mirrored)` per animation frame. */
export function videoBoxes() {
  const element = h("div", { class: "boxes", "aria-hidden": "true" });
  const shown = new Map();
  const draw = (tracks, width, height, mirrored) => {
    const room = element.clientHeight;
    element.classList.toggle("small", element.clientWidth < SMALL);
    const present = new Set(tracks.map(({ id }) => id));
    for (const [id, box] of shown) {
      if (!present.has(id)) {
        box.remove();
        shown.delete(id);
      }
    }
    for (const track of tracks) {
      let box = shown.get(track.id);
      if (!box) {
        box = h("div", { class: "box" }, h("span", { class: "box-label" }));
        box.dataset.track = track.id;
        shown.set(track.id, box);
        element.append(box);
      }
      const label = track.name ?? "Unknown";
      box.classList.toggle("known", track.name !== null);
      box.classList.toggle("unknown", track.name === null);
      if (box.firstChild.textContent !== label) box.firstChild.textContent = label;
      place(box, track.box, width, height, mirrored, room);
    }
  };
  return { element, draw };
}
