/** Light, dark, or as the system has it. */

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";

const KEPT = "mien-theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // a browser that keeps nothing
  }
}

const isDark = () =>
  (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

/** A button that changes between light and dark; what the system has is taken until it is pressed. */
export function themeButton() {
  const button = h("button", { class: "button quiet icon", type: "button" });
  const draw = () => {
    const words = isDark() ? "Light colours" : "Dark colours";
    button.setAttribute("aria-label", words);
    button.title = words;
    fill(button, icon(isDark() ? "sun" : "moon"));
  };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem(KEPT, document.documentElement.dataset.theme);
    } catch {
      // It holds for this visit then.
    }
    draw();
  });
  system.addEventListener("change", draw);
  draw();
  return button;
}

if (kept()) document.documentElement.dataset.theme = kept();
