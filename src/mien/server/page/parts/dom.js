/** Elements made of plain values: no markup is ever parsed, so no name can be code. */

/**
 * Make an element.
 *
 * `properties`: `on` maps events to listeners, `style` is set through the CSSOM (the page's
 * policy forbids style attributes), `data` is the dataset, `false` and null leave an attribute out,
 * `true` sets it empty; all else are attributes. Children: nodes, text, arrays; null is left out.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value))
        element.addEventListener(event, listener);
    } else if (name === "style") Object.assign(element.style, value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "value" || name === "checked" || name === "srcObject") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/** Append children of the kinds that `h` accepts. */
export function append(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/** Replace all children. */
export function fill(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

let lastId = 0;

/** A new unique id, to connect a label to its field. */
export function freshId(word = "id") {
  lastId += 1;
  return `${word}-${lastId}`;
}

/** A progress bar; `set(done, total)`, animated without a total. */
export function progressBar(label) {
  const fillIn = h("i");
  const element = h(
    "div",
    {
      class: "progress",
      role: "progressbar",
      "aria-label": label,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
    },
    fillIn,
  );
  const set = (done, total) => {
    const known = Number.isFinite(total) && total > 0;
    element.classList.toggle("busy", !known);
    fillIn.style.width = known ? `${Math.min(100, (100 * done) / total)}%` : "";
    if (known) element.setAttribute("aria-valuenow", String(Math.round((100 * done) / total)));
    else element.removeAttribute("aria-valuenow");
  };
  set(0, null);
  return { element, set };
}

/** A picture of a person, or the initials of the name if there is none. */
export function portrait(name, url, size = "") {
  const letters = () => {
    const words = (name ?? "").split(/[\s_]+/).filter(Boolean);
    const text = words.length
      ? [words[0], ...words.slice(1).slice(-1)].map((word) => [...word][0].toUpperCase()).join("")
      : "?";
    return h(
      "span",
      { class: `portrait initials ${size} ${name ? "" : "no-person"}`, "aria-hidden": "true" },
      text,
    );
  };
  if (!url) return letters();
  const image = h("img", {
    class: `portrait ${size}`,
    src: url,
    alt: "",
    loading: "lazy",
    decoding: "async",
  });
  image.addEventListener("error", () => image.replaceWith(letters()), { once: true });
  return image;
}
