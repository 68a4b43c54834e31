// Sorting and filtering. Nothing here, and in the other rooms, is needed to read the page.
"use strict";

function value(row, column, number) {
  const text = row.children[column].dataset.order ?? row.children[column].textContent.trim();
  return number && text !== "" ? Number(text) : text;
}

// Rows without a value come last in either direction; equal rows keep their order.
function sortBy(table, header, column) {
  const rising = header.getAttribute("aria-sort") !== "ascending";
  const number = header.classList.contains("number");
  for (const other of table.tHead.rows[0].cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", rising ? "ascending" : "descending");
  const body = table.tBodies[0];
  const known = [], unknown = [];
  for (const row of body.rows) (value(row, column, number) === "" ? unknown : known).push([value(row, column, number), row]);
  known.sort(([a], [b]) => (number ? a - b : a < b ? -1 : a > b ? 1 : 0) * (rising ? 1 : -1));
  const fragment = document.createDocumentFragment();
  for (const [, row] of [...known, ...unknown]) fragment.append(row);
  body.append(fragment);
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    if (header.classList.contains("pictures")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    header.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      sortBy(table, header, column);
      rememberView(table);
    });
  });
}

function makeFilterable(controls) {
  const table = document.getElementById(controls.dataset.for);
  const [input, select, count, more] = ["input", "select", "output", "button"].map((name) => controls.querySelector(name));
  let whole = !more || !matchMedia("(scripting: enabled)").matches; // old browsers show all rows
  if (more && whole) more.hidden = true;
  const rows = [...table.tBodies[0].rows].map((row) => [row, row.textContent.toLowerCase()]);
  const filter = () => {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const category = select ? select.value : "";
    let shown = 0;
    for (const [row, text] of rows) {
      const fits = (!category || row.dataset.category === category) && wanted.every((word) => text.includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    const cut = !whole && !wanted.length && !category;
    table.classList.toggle("limited", cut);
    if (cut) shown = Number(more.dataset.shown);
    count.textContent = shown === rows.length ? `${shown} rows` : `${shown} of ${rows.length} rows`;
  };
  const changed = () => {
    filter();
    rememberView(table);
  };
  input.addEventListener("input", changed);
  if (select) select.addEventListener("change", changed);
  if (more) more.addEventListener("click", () => {
    whole = more.hidden = true;
    filter();
  });
  controls.hidden = false;
  const link = document.createElement("button");
  link.type = "button";
  link.className = "plain";
  link.textContent = "Copy link to this view";
  link.addEventListener("click", () => copyText(addressOf(viewOf(table)), link));
  controls.append(link);
  if (more || input.value || (select && select.value)) filter(); // also for what a reload kept
}
