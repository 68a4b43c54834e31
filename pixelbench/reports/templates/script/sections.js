// The colour switch, what opens and folds, the section in view, and paper.
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

// Where there are very many variants, what stands in one is made when it opens.
function unfold(details) {
  const kept = details.querySelector(":scope > script");
  if (!kept) return;
  const body = document.createElement("div");
  body.className = "body";
  body.innerHTML = kept.textContent;
  kept.replaceWith(body);
  equip(body);
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

// Paper cannot be clicked.
function openForPaper() {
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const one of closed) {
      one.open = true;
      unfold(one);
    }
  });
  addEventListener("afterprint", () => closed.forEach((one) => (one.open = false)));
}
