/** Light and dark colours. */

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";

const STORAGE_KEY = "mien-theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

function storedTheme() {
  try {
    return localStorage.getItem(STORAGE_KEY);
  } catch {
    return null; // storage is not allowed
  }
}

const isDark = () =>
  (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

/** A button that switches between light and dark; the system's setting counts until it is used. */
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
      localStorage.setItem(STORAGE_KEY, document.documentElement.dataset.theme);
    } catch {
      // Storage is not allowed: the choice lasts until the page is closed.
    }
    draw();
  });
  system.addEventListener("change", draw);
  draw();
  return button;
}

if (storedTheme()) document.documentElement.dataset.theme = storedTheme();
