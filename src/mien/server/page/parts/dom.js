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

/** Add children as `h` takes them. */
export function append(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/** Put these children in the place of all there are. */
export function fill(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

let lastId = 0;

/** A new id, to tie a label to its field. */
export function freshId(word = "id") {
  lastId += 1;
  return `${word}-${lastId}`;
}

/** A bar of progress; `set(done, total)`, with no total it sweeps. */
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

/** A picture of a person, or the first letters of the name where none is kept. */
export function portrait(name, url, size = "") {
  const letters = () => {
    const words = (name ?? "").split(/[\s_]+/).filter(Boolean);
    const text = words.length
      ? [words[0], ...words.slice(1).slice(-1)].map((word) => [...word][0].toUpperCase()).join("")
      : "?";
    return h(
      "span",
      { class: `portrait initials ${size} ${name ? "" : "nobody"}`, "aria-hidden": "true" },
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
