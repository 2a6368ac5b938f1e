/** The webcam: opened with words for everything that can go wrong, and looked at frame by frame. */

import { EngineError } from "../api/engine.js";

const WHY_NOT = {
  NotAllowedError: [
    "The browser was not allowed to use the camera.",
    "Allow the camera for this page (beside the address), then try again.",
  ],
  NotFoundError: ["No camera was found.", "Plug one in, or use a photo instead."],
  NotReadableError: [
    "The camera is in use by another program.",
    "Close the other program, then try again.",
  ],
  OverconstrainedError: ["This camera cannot be opened.", "Choose another one."],
};

/** Whether this page may use a camera at all: browsers allow it on https and on this machine only. */
export const hasCameras = () => Boolean(navigator.mediaDevices?.getUserMedia);

export class Camera {
  video;
  #stream = null;
  #canvas = document.createElement("canvas");

  constructor(video) {
    this.video = video;
  }

  /** Open a camera, or another one; raises EngineError with words for people. */
  async open(deviceId = null) {
    this.close();
    if (!hasCameras()) {
      throw new EngineError("The camera works on a secure page only.", {
        hint: "Open this page over https, or at the address localhost on the machine that serves it.",
      });
    }
    const wanted = {
      width: { ideal: 1280 },
      height: { ideal: 720 },
      ...(deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" }),
    };
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    } catch (error) {
      const [message, hint] = WHY_NOT[error.name] ?? [
        `The camera cannot be opened: ${error.message}`,
        "",
      ];
      throw new EngineError(message, { hint, kind: "refused" });
    }
    this.video.srcObject = this.#stream;
    await this.video.play();
    if (!this.video.videoWidth)
      await new Promise((resolve) =>
        this.video.addEventListener("resize", resolve, { once: true }),
      );
  }

  get isOpen() {
    return this.#stream !== null;
  }

  /** Whether the camera looks at whoever holds the device, so that a mirror is what they expect. */
  get facesUser() {
    return this.#stream?.getVideoTracks()[0]?.getSettings().facingMode !== "environment";
  }

  get deviceId() {
    return this.#stream?.getVideoTracks()[0]?.getSettings().deviceId ?? null;
  }

  /** The cameras there are; they have names only after one was opened. */
  async list() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter(({ kind }) => kind === "videoinput");
  }

  /**
   * The present picture as a JPEG with at most `longest` pixels on its long side.
   *
   * Returns `{blob, time, scale, canvas}`: when it was taken (performance.now), and its size over the video's.
   */
  async grab(longest, quality = 0.85) {
    const { videoWidth: width, videoHeight: height } = this.video;
    const scale = Math.min(1, longest / Math.max(width, height));
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    const time = performance.now();
    this.#canvas
      .getContext("2d")
      .drawImage(this.video, 0, 0, this.#canvas.width, this.#canvas.height);
    const blob = await new Promise((resolve) =>
      this.#canvas.toBlob(resolve, "image/jpeg", quality),
    );
    return { blob, time, scale, canvas: this.#canvas };
  }

  close() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.video.srcObject = null;
  }
}
