/** The webcam: open it, list cameras, grab frames; errors have messages for the user. */

import { EngineError } from "../api/engine.js";

const ERRORS = {
  NotAllowedError: [
    "The browser was not allowed to use the camera.",
    "Allow the camera for this page (beside the address), then try again.",
  ],
  NotFoundError: ["No camera was found.", "Connect one, or use a photo instead."],
  NotReadableError: [
    "The camera is in use by another program.",
    "Close the other program, then try again.",
  ],
  OverconstrainedError: ["This camera cannot be opened.", "Choose another one."],
};

/** Whether the browser allows cameras on this page: only over https and on localhost. */
export const hasCameras = () => Boolean(navigator.mediaDevices?.getUserMedia);

export class Camera {
  video;
  #stream = null;
  #canvas = document.createElement("canvas");

  constructor(video) {
    this.video = video;
  }

  /** Open a camera; throws EngineError with a message for the user. */
  async open(deviceId = null) {
    this.close();
    if (!hasCameras()) {
      throw new EngineError("The camera works on a secure page only.", {
        hint: "Open this page over https, or at the address localhost on the machine that serves it.",
      });
    }
    const constraints = {
      width: { ideal: 1280 },
      height: { ideal: 720 },
      ...(deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" }),
    };
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({
        video: constraints,
        audio: false,
      });
    } catch (error) {
      const [message, hint] = ERRORS[error.name] ?? [
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

  /** Whether the camera faces the user, so that a mirrored picture is expected. */
  get facesUser() {
    return this.#stream?.getVideoTracks()[0]?.getSettings().facingMode !== "environment";
  }

  get deviceId() {
    return this.#stream?.getVideoTracks()[0]?.getSettings().deviceId ?? null;
  }

  /** The cameras of the device; they have labels only after one was opened. */
  async list() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter(({ kind }) => kind === "videoinput");
  }

  /**
   * The current frame as a JPEG with at most `longest` pixels on its long side.
   *
   * Resolves to `{blob, time, scale, canvas}`: `time` by performance.now, `scale` relative to the video.
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
