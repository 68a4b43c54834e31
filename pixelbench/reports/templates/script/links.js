// Addresses within the page: `#task/photos/table?filter=gated&show=ranked&sort=seconds&down=1` is a section, and a view of its table.

function addressOf(fragment) {
  return location.href.split("#")[0] + "#" + fragment;
}

function viewOf(table) {
  const controls = document.querySelector(`.controls[data-for="${CSS.escape(table.id)}"]`);
  const sorted = table.querySelector("th[aria-sort=ascending], th[aria-sort=descending]");
  const view = new URLSearchParams();
  const filter = controls?.querySelector("input").value, show = controls?.querySelector("select")?.value;
  if (filter) view.set("filter", filter);
  if (show) view.set("show", show);
  if (sorted) view.set("sort", sorted.textContent.trim());
  if (sorted?.ariaSort === "descending") view.set("down", "1");
  return view.size ? `${table.id}?${view}` : table.id;
}

// Where a browser does not let a file change its own address, the button still copies it.
function rememberView(table) {
  try {
    history.replaceState(null, "", "#" + viewOf(table));
  } catch {
    return;
  }
}

function showView(table, view) {
  const controls = document.querySelector(`.controls[data-for="${CSS.escape(table.id)}"]`);
  const header = [...table.tHead.rows[0].cells].find((cell) => cell.textContent.trim() === view.get("sort"));
  if (header && header.hasAttribute("aria-sort")) {
    const column = [...header.parentNode.cells].indexOf(header);
    header.setAttribute("aria-sort", view.get("down") ? "ascending" : "none");
    sortBy(table, header, column);
  }
  if (!controls) return;
  const input = controls.querySelector("input"), select = controls.querySelector("select");
  input.value = view.get("filter") ?? "";
  if (select && [...select.options].some((one) => one.value === view.get("show"))) select.value = view.get("show");
  input.dispatchEvent(new Event("input"));
}

function openTarget() {
  const [id, query] = location.hash.slice(1).split("?", 2);
  const target = document.getElementById(decodeURIComponent(id));
  if (!target) return;
  for (let around = target; around; around = around.parentElement) if (around instanceof HTMLDetailsElement) around.open = true;
  if (query !== undefined && target instanceof HTMLTableElement) showView(target, new URLSearchParams(query));
  target.scrollIntoView();
  if (target instanceof HTMLDetailsElement) target.querySelector("summary").focus({ preventScroll: true });
}

async function copyText(text, button) {
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Press Ctrl-C";
    const area = document.createElement("textarea");
    area.value = text;
    area.ariaLabel = "To copy";
    button.after(area);
    area.select();
    area.addEventListener("blur", () => area.remove());
  }
  setTimeout(() => (button.textContent = said), 1500);
}

function makeCopyable(block) {
  const frame = document.createElement("div"), button = document.createElement("button");
  frame.className = "copied";
  button.type = "button";
  button.className = "plain";
  button.textContent = "Copy";
  button.ariaLabel = "Copy " + block.textContent.trim().slice(0, 60);
  button.addEventListener("click", () => copyText(block.textContent.trim(), button));
  block.replaceWith(frame);
  frame.append(block, button);
}
