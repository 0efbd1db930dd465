"use strict";
// Adds to a page that is complete without it: tables that sort by a column, and a timeline that can be widened.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  if (body.rows.length < 2) continue;
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[column].textContent.trim();
      const number = (text) => parseFloat(text.replaceAll(",", ""));
      const order = (one, two) => {
        const [a, b] = [value(one), value(two)];
        const by = number(a) - number(b);
        return Number.isNaN(by) ? a.localeCompare(b) : by;
      };
      body.append(...[...body.rows].sort((one, two) => (down ? -order(one, two) : order(one, two))));
    });
  });
}
for (const figure of document.querySelectorAll("figure.wide")) {
  const chart = figure.querySelector("svg");
  const buttons = document.createElement("p");
  buttons.className = "zoom";
  buttons.append("Zoom ");
  for (const factor of [1, 2, 4, 8]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${factor}×`;
    button.setAttribute("aria-label", `Show the timeline ${factor} times as wide`);
    button.addEventListener("click", () => {
      chart.style.width = factor === 1 ? "" : `${factor * 100}%`;
      chart.style.maxWidth = factor === 1 ? "" : "none";
    });
    buttons.append(button);
  }
  figure.querySelector("figcaption").after(buttons);
}
