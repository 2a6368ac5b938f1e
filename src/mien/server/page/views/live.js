/** Live: identifies and tracks the people in front of the webcam. Of an engine it needs only `identify`. */

import { Camera, hasCameras } from "../camera/camera.js";
import { sheet } from "../parts/dialog.js";
import { fill, h } from "../parts/dom.js";
import { wasAborted } from "../api/engine.js";
import { icon } from "../parts/icons.js";
import { InView } from "../parts/in-view.js";
import { videoBoxes } from "../parts/overlay.js";
import { personPicker } from "../parts/person-picker.js";
import { announce, errorNote, toast } from "../parts/toast.js";
import { overlap, Tracker } from "../camera/track.js";

const MAX_SIDE = 640; // pixels, long side of the frames sent
const MIN_INTERVAL_MS = 66; // at most 15 frames per second
const MAX_FAILURES = 5;

export function live({ engine }) {
  const video = h("video", {
    class: "live-video",
    playsinline: true,
    muted: true,
    "aria-label": "Camera picture",
  });
  const camera = new Camera(video);
  const tracker = new Tracker();
  const boxes = videoBoxes();
  const readout = h("span", { class: "readout" });
  const choice = h("select", { class: "input small", "aria-label": "Camera", hidden: true });
  const mirror = h(
    "button",
    { class: "button small", type: "button", "aria-pressed": "true" },
    icon("flip"),
    "Mirror",
  );
  const stop = h(
    "button",
    { class: "button small", type: "button" },
    icon("stop"),
    "Stop the camera",
  );
  const screen = h(
    "div",
    { class: "live-screen" },
    video,
    h("span", { class: "live-dot" }, "Live"),
    boxes.element,
  );
  const trouble = h("div");
  const inView = new InView({
    onName: engine.features.corrections ? name : null,
    onEnter: (person) => announce(`${person} is in view.`),
  });
  const stage = h(
    "div",
    { class: "live-stage stack" },
    screen,
    h(
      "div",
      { class: "spread live-tools" },
      h("div", { class: "acts" }, stop, mirror, choice),
      readout,
    ),
    trouble,
  );
  const element = h("div", { class: "live" });
  let running = null;
  let mirrored = true;

  const begin = async (deviceId = null) => {
    end();
    fill(trouble);
    fill(element, head(), h("div", { class: "live-grid" }, stage, inView.element));
    screen.classList.add("opening");
    try {
      await camera.open(deviceId);
    } catch (error) {
      camera.close();
      return idle(error);
    }
    screen.classList.remove("opening");
    // The screen has the aspect ratio of the video, so that box positions in shares fit both.
    screen.style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`;
    screen.style.width = `min(100%, ${(74 * video.videoWidth) / video.videoHeight}vh)`;
    setMirror(camera.facesUser);
    await listCameras();
    running = new AbortController();
    draw(running.signal);
    return watch(running.signal);
  };

  const end = () => {
    running?.abort();
    running = null;
    camera.close();
    tracker.clear();
    boxes.draw([], 1, 1, false);
    readout.textContent = "";
  };

  /** Identify frame after frame, as fast as the engine answers. */
  const watch = async (signal) => {
    const times = [];
    let failures = 0;
    while (!signal.aborted) {
      const began = performance.now();
      let pause = 0;
      try {
        if (document.hidden) pause = 250;
        else {
          const frame = await camera.grab(MAX_SIDE);
          const answer = await engine.identify(frame.blob, { crops: false, top: 1, signal });
          const faces = answer.faces.map((face) => ({
            ...face,
            box: face.box.map((side) => side / frame.scale),
          }));
          tracker.addFrame(faces, frame.time);
          inView.update(tracker.tracks, frame);
          times.push(performance.now());
          measure(times, performance.now() - frame.time);
          if (failures) fill(trouble);
          failures = 0;
        }
      } catch (error) {
        if (wasAborted(error) || signal.aborted) return;
        failures += 1;
        if (failures >= MAX_FAILURES || error.kind === "signed-out") {
          end();
          return idle(error);
        }
        if (error.kind !== "busy") fill(trouble, errorNote(error));
        pause = 1000 * Math.max(error.retryAfter ?? 0, 0.3 * 2 ** failures);
      }
      const rest = Math.max(pause, MIN_INTERVAL_MS - (performance.now() - began));
      if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
    }
  };

  const measure = (times, took) => {
    while (times.length > 1 && times.at(-1) - times[0] > 3000) times.shift();
    const seconds = (times.at(-1) - times[0]) / 1000;
    if (seconds > 0.5)
      readout.textContent = `${((times.length - 1) / seconds).toFixed(1)} frames per second · ${Math.round(took)} ms per frame`;
  };

  const draw = (signal) =>
    requestAnimationFrame((time) => {
      if (signal.aborted) return;
      boxes.draw(tracker.ease(time), video.videoWidth, video.videoHeight, mirrored);
      draw(signal);
    });

  const setMirror = (value) => {
    mirrored = value;
    screen.classList.toggle("mirrored", value);
    mirror.setAttribute("aria-pressed", String(value));
  };
  const listCameras = async () => {
    const cameras = await camera.list().catch(() => []);
    choice.hidden = cameras.length < 2;
    fill(
      choice,
      cameras.map(({ deviceId, label }, index) =>
        h("option", { value: deviceId }, label || `Camera ${index + 1}`),
      ),
    );
    choice.value = camera.deviceId ?? "";
  };

  /** Name an unknown face in view; it is enrolled from a new frame in full size. */
  async function name(track) {
    const token = await tokenOf(track).catch((error) => {
      fill(trouble, errorNote(error));
      return null;
    });
    if (!token) return;
    const picker = personPicker({
      label: "This is",
      people: engine.people.list(),
      onPick: (person) => enrol(person),
    });
    const trouble = h("div");
    const { close } = sheet("Who is this?", [picker.element, trouble]);
    picker.focus();
    const enrol = async (person) => {
      try {
        await engine.is(token, person.id ? { id: person.id } : { name: person.name });
        toast(
          person.id ? `Enrolled: this is ${person.name}.` : `${person.name} is known from now on.`,
        );
        tracker.clear();
        close();
      } catch (error) {
        fill(trouble, errorNote(error));
      }
    };
  }

  async function tokenOf(track) {
    const frame = await camera.grab(4096, 0.92);
    const { faces } = await engine.identify(frame.blob, { crops: true, top: 1 });
    const box = track.predict(frame.time);
    const shared = ({ box: found }) =>
      overlap(
        box,
        found.map((side) => side / frame.scale),
      );
    const [face] = faces.sort((a, b) => shared(b) - shared(a));
    if (face && shared(face) > 0.2) return face.token;
    toast("The face moved away. Try again while it is in view.", "warn");
    return null;
  }

  const head = () =>
    h(
      "header",
      { class: "view-head" },
      h(
        "div",
        {},
        h("h1", { tabindex: -1 }, "Live"),
        h(
          "p",
          { class: "lead" },
          "People are tracked from frame to frame and named by the majority of the frames.",
        ),
      ),
    );
  const idle = (error = null) =>
    fill(
      element,
      head(),
      h(
        "div",
        { class: "card live-idle" },
        h(
          "div",
          { class: "empty" },
          icon("live"),
          h("h2", {}, "See who is in front of the camera"),
          h(
            "p",
            {},
            `Pictures are processed ${engine.place}. The camera is off until you start it, and off again when you leave this page.`,
          ),
          h(
            "div",
            { class: "acts" },
            h(
              "button",
              { class: "button main", type: "button", on: { click: () => begin() } },
              icon("camera"),
              "Start the camera",
            ),
          ),
        ),
        error
          ? errorNote(error)
          : hasCameras()
            ? null
            : errorNote({
                message: "The camera works on a secure page only.",
                hint: "Open this page over https, or at the address localhost on the machine that serves it.",
              }),
      ),
    );

  stop.addEventListener("click", () => {
    end();
    inView.clear();
    idle();
    element.querySelector("button").focus();
  });
  mirror.addEventListener("click", () => setMirror(!mirrored));
  choice.addEventListener("change", () => begin(choice.value));
  idle();
  return {
    element,
    title: "Live",
    leave() {
      if (!running) return;
      end();
      inView.clear();
      idle();
    },
  };
}
