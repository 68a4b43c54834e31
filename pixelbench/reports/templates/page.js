// Sorting, filtering, the colour switch, and opening what is asked for. Nothing here is needed to read the page.
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
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    header.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => sortBy(table, header, column));
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
  input.addEventListener("input", filter);
  if (select) select.addEventListener("change", filter);
  if (more) more.addEventListener("click", () => {
    whole = more.hidden = true;
    filter();
  });
  controls.hidden = false;
  if (more || input.value || (select && select.value)) filter(); // also for what a reload kept
}

// Files opened from a disk may have no storage; the switch works all the same.
function remembered(name, chosen) {
  try {
    if (chosen !== undefined) localStorage.setItem(name, chosen);
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function makeThemes(group) {
  const buttons = [...group.querySelectorAll("button")];
  const choose = (theme) => {
    document.documentElement.dataset.theme = theme;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.theme === theme));
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      choose(button.dataset.theme);
      remembered("pixelbench-theme", button.dataset.theme);
    });
  }
  const before = remembered("pixelbench-theme");
  if (buttons.some((button) => button.dataset.theme === before)) choose(before);
  group.hidden = false;
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
    target.querySelector("summary").focus({ preventScroll: true });
  }
}

// Where there are very many variants, what stands in one is made when it opens.
function unfold(details) {
  const kept = details.querySelector(":scope > script");
  if (!kept) return;
  const body = document.createElement("div");
  body.className = "body";
  body.innerHTML = kept.textContent;
  kept.replaceWith(body);
  body.querySelectorAll(".scroll").forEach(hintAtMore);
}

function makeOpener(button) {
  const all = [...document.getElementById(button.dataset.open).querySelectorAll("details.variant")];
  button.addEventListener("click", () => {
    const open = all.some((one) => !one.open);
    for (const one of all) one.open = open;
    button.textContent = open ? "Close all" : "Open all";
  });
  button.hidden = false;
}

// A table that goes on to the right fades there; one that does not is no stop for the keyboard.
function hintAtMore(box) {
  const look = () => {
    box.toggleAttribute("data-more", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
    box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1;
  };
  box.addEventListener("scroll", look, { passive: true });
  new ResizeObserver(look).observe(box);
}

// The section in view is marked in the bar.
function followSections() {
  const links = new Map([...document.querySelectorAll(".bar nav a")].map((link) => [link.getAttribute("href").slice(1), link]));
  const mark = (name) => links.forEach((link, other) => (other === name ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
  const watcher = new IntersectionObserver(
    (entries) => entries.forEach((entry) => entry.isIntersecting && mark(entry.target.id)),
    { rootMargin: "-20% 0px -75% 0px" },
  );
  for (const name of links.keys()) watcher.observe(document.getElementById(name));
}

document.querySelectorAll("table[data-sortable]").forEach(makeSortable);
document.querySelectorAll(".controls").forEach(makeFilterable);
document.querySelectorAll(".themes").forEach(makeThemes);
document.querySelectorAll("button[data-open]").forEach(makeOpener);
document.querySelectorAll(".scroll").forEach(hintAtMore);
followSections();
document.addEventListener("toggle", (event) => unfold(event.target), true);
addEventListener("hashchange", openTarget);
if (location.hash) openTarget();
// Paper cannot be clicked.
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const one of closed) {
    one.open = true;
    unfold(one);
  }
});
addEventListener("afterprint", () => closed.forEach((one) => (one.open = false)));
