/** Files given by the user: chosen, dropped or pasted, also whole folders. */

import { h } from "./parts/dom.js";

const PHOTO = /\.(jpe?g|png|webp|avif|heic|heif|bmp|gif|tiff?)$/i;
const ARCHIVE = /\.(zip|tgz|tar|tar\.gz)$/i;

export const ACCEPT = "image/*,.heic,.heif,.avif";

export const isPhoto = (file) => PHOTO.test(file.name) || file.type.startsWith("image/");
export const isArchive = (file) => ARCHIVE.test(file.name) || file.type === "application/zip";

/** Open the file chooser; resolves to `{file, path}`s, an empty array if it was cancelled. */
export function choose({ accept = ACCEPT, multiple = true, folder = false } = {}) {
  return new Promise((resolve) => {
    const input = h("input", {
      type: "file",
      accept: folder ? null : accept,
      multiple,
      webkitdirectory: folder,
      class: "unseen",
      tabindex: -1,
      "aria-hidden": "true",
    });
    const end = () => {
      input.remove();
      resolve(
        [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })),
      );
    };
    input.addEventListener("change", end, { once: true });
    input.addEventListener("cancel", end, { once: true });
    document.body.append(input);
    input.click();
  });
}

/** The files of a drop or paste, with those in folders, as `{file, path}`s. */
export async function filesOf(transfer) {
  // Read the entries before the first await: the browser empties the list after the event.
  const entries = [...(transfer.items ?? [])]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  if (!entries.length)
    return [...(transfer.files ?? [])].map((file) => ({ file, path: file.name }));
  const found = [];
  for (const entry of entries) {
    if (entry instanceof File) found.push({ file: entry, path: entry.name });
    else if (entry) await walk(entry, "", found);
  }
  return found;
}

async function walk(entry, folder, found) {
  const path = folder ? `${folder}/${entry.name}` : entry.name;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject)).catch(
      () => null,
    );
    if (file) found.push({ file, path });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)).catch(
      () => [],
    );
    if (!part.length) return;
    for (const child of part) await walk(child, path, found);
  }
}

/** Accept dropped files on an element, which has the class `dropping` while files hover over it. */
export function acceptDrops(element, onFiles) {
  let depth = 0;
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const highlight = (value) => element.classList.toggle("dropping", value);
  const listeners = {
    dragenter: (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      depth += 1;
      highlight(true);
    },
    dragover: (event) => carriesFiles(event) && event.preventDefault(),
    dragleave: (event) => {
      if (!carriesFiles(event)) return;
      depth = Math.max(0, depth - 1);
      highlight(depth > 0);
    },
    drop: async (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      event.stopPropagation();
      depth = 0;
      highlight(false);
      onFiles(await filesOf(event.dataTransfer));
    },
  };
  for (const [name, listener] of Object.entries(listeners))
    element.addEventListener(name, listener);
}

/** Group photos by person, from paths like "album/Person/photo.jpg": a Map of name to `{file, path}`s. */
export function byPerson(files) {
  const people = new Map();
  for (const { file, path } of files) {
    const parts = path.split("/");
    if (parts.length < 2 || !isPhoto(file) || parts.some((part) => part.startsWith("."))) continue;
    const name = parts.at(-2);
    if (!people.has(name)) people.set(name, []);
    people.get(name).push({ file, path: `${name}/${parts.at(-1)}` });
  }
  return people;
}
