"use strict";
(() => {
  const root = document.documentElement;
  const theme = document.querySelector(".theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  const cell = (row, index) => row.cells[index].dataset.value ?? row.cells[index].textContent;
  const order = new Intl.Collator(undefined, { numeric: true }).compare;
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th");
      if (!head) return;
      const up =
        head.getAttribute("aria-sort") === "descending" ||
        (!head.hasAttribute("aria-sort") && head.cellIndex === 0);
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows];
      rows.sort((a, b) => (up ? 1 : -1) * order(cell(a, head.cellIndex), cell(b, head.cellIndex)));
      body.append(...rows);
    });
  }

  const search = document.querySelector("#find");
  const missed = document.querySelector("#missed");
  if (search) {
    const filter = () => {
      const wanted = search.value.normalize("NFKD").toLowerCase();
      for (const row of document.querySelectorAll("#people tbody tr")) {
        const text = row.textContent.normalize("NFKD").toLowerCase();
        row.hidden =
          !text.includes(wanted) || (missed.checked && !row.classList.contains("missed"));
      }
    };
    search.addEventListener("input", filter);
    missed.addEventListener("change", filter);
    search.closest(".tools").hidden = false;
  }
})();
