/** A dialog that takes a photo with the camera. */

import { Camera } from "./camera.js";
import { sheet } from "../parts/dialog.js";
import { fill, h } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { errorNote } from "../parts/toast.js";

/** Open the dialog; resolves to the photo as a File, or null if it was closed. */
export async function takePhoto() {
  const video = h("video", {
    class: "shutter-video",
    playsinline: true,
    muted: true,
    "aria-label": "Camera picture",
  });
  const camera = new Camera(video);
  const room = h("div", { class: "shutter-room" }, video);
  const trouble = h("div");
  const shutter = h(
    "button",
    { class: "button main", type: "button", disabled: true },
    icon("camera"),
    "Take the photo",
  );
  const { close, closed } = sheet("Take a photo", [room, trouble], {
    wide: true,
    foot: [shutter],
    onClose: () => camera.close(),
  });
  const open = async () => {
    try {
      await camera.open();
      room.classList.toggle("mirrored", camera.facesUser);
      room.style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`;
      room.hidden = false;
      fill(trouble);
      shutter.disabled = false;
      shutter.focus();
    } catch (error) {
      room.hidden = true;
      fill(trouble, errorNote(error, open));
    }
  };
  shutter.addEventListener("click", async () => {
    shutter.disabled = true;
    const { blob } = await camera.grab(4096, 0.92);
    close(new File([blob], "camera.jpg", { type: "image/jpeg" }));
  });
  open();
  return closed;
}
