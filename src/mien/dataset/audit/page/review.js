"use strict";
const chosen = new Map();
const bar = document.querySelector("footer");
const text = bar.querySelector("pre");

function copy(value, button) {
  const showCopied = () => {
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = before;
    }, 1200);
  };
  const copyBySelection = () => {
    const area = document.createElement("textarea");
    area.value = value;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    showCopied();
  };
  if (navigator.clipboard) navigator.clipboard.writeText(value).then(showCopied, copyBySelection);
  else copyBySelection();
}

function showCommands() {
  const lines = [];
  for (const verb of ["keep", "drop"]) {
    const ids = [...chosen].filter(([, v]) => v === verb).map(([id]) => id);
    if (ids.length)
      lines.push(`mien dataset ${verb} ${document.body.dataset.folder} ${ids.join(" ")}`);
  }
  text.textContent = lines.join("\n");
  bar.classList.toggle("open", lines.length > 0);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.copy) {
    copy(button.dataset.copy, button);
    return;
  }
  if (button.id === "copy-all") {
    copy(text.textContent, button);
    return;
  }
  const article = button.closest("article");
  const id = article.dataset.id;
  const verb = button.dataset.verb;
  if (chosen.get(id) === verb) chosen.delete(id);
  else chosen.set(id, verb);
  article.className = chosen.has(id) ? `decided-${chosen.get(id)}` : "";
  for (const other of article.querySelectorAll("button[data-verb]")) {
    other.setAttribute("aria-pressed", String(chosen.get(id) === other.dataset.verb));
  }
  showCommands();
});
