// A picture in full on a click, and drawings that stand alone.

function enlarge(link) {
  const dialog = document.getElementById("enlarged"), small = link.querySelector("svg");
  const whole = small.cloneNode(true);
  whole.setAttribute("viewBox", link.dataset.whole);
  whole.setAttribute("class", "picture");
  whole.removeAttribute("width");
  whole.removeAttribute("height");
  whole.removeAttribute("aria-hidden");
  whole.setAttribute("role", "img");
  whole.setAttribute("aria-label", link.title);
  dialog.querySelector("div").replaceChildren(whole);
  const section = dialog.querySelector("a");
  section.href = link.getAttribute("href");
  section.onclick = () => dialog.close();
  dialog.showModal();
}

const DRAWN = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "font-size", "font-family", "font-weight"];

// A copy that needs neither the page's style nor its store of pictures.
function standalone(svg) {
  const copy = svg.cloneNode(true);
  const dress = (from, to) => {
    const style = getComputedStyle(from);
    for (const name of DRAWN) to.setAttribute(name, style.getPropertyValue(name));
    [...from.children].forEach((child, index) => dress(child, to.children[index]));
  };
  dress(svg, copy);
  const uses = svg.querySelectorAll("use");
  copy.querySelectorAll("use").forEach((use, index) => {
    const kept = document.querySelector(uses[index].getAttribute("href").replace(/^#(.*)/, (_, id) => "#" + CSS.escape(id)));
    const whole = kept.cloneNode(true);
    dress(kept, whole);
    whole.removeAttribute("id");
    use.replaceWith(whole);
  });
  copy.setAttribute("xmlns", svg.namespaceURI);
  for (const one of copy.querySelectorAll("[data-points]")) delete one.dataset.points;
  return copy;
}

// A table with a drawing in each row, as one drawing: names on the left, numbers behind them.
function drawnTable(table) {
  const all = document.createElementNS(table.querySelector("svg").namespaceURI, "svg");
  const paper = getComputedStyle(table.closest(".scroll") ?? table).backgroundColor, ink = getComputedStyle(table).color;
  const rows = [table.tHead.rows[0], ...table.tBodies[0].rows].filter((row) => row.querySelector("th") && !row.hidden);
  const [names, width, high] = [300, 900, 30];
  const write = (text, x, y, anchor) => {
    const node = document.createElementNS(all.namespaceURI, "text");
    node.textContent = text;
    for (const [name, value] of Object.entries({ x, y, fill: ink, "font-size": 13, "font-family": "sans-serif", "text-anchor": anchor })) node.setAttribute(name, value);
    all.append(node);
  };
  const ground = document.createElementNS(all.namespaceURI, "rect");
  ground.setAttribute("width", "100%");
  ground.setAttribute("height", "100%");
  ground.setAttribute("fill", paper);
  all.append(ground);
  rows.forEach((row, index) => {
    const svg = row.querySelector(".plot > svg, .plot > .axis"), y = 10 + index * high;
    if (index) write(row.cells[0].firstChild.textContent.trim(), 10, y + 18, "start");
    if (!svg) return;
    const drawn = standalone(svg);
    for (const [name, value] of Object.entries({ x: names, y, width: width - names - 40, height: svg.getBoundingClientRect().height })) drawn.setAttribute(name, value);
    drawn.setAttribute("overflow", "visible");
    all.append(drawn);
  });
  all.setAttribute("viewBox", `0 0 ${width} ${20 + rows.length * high}`);
  all.setAttribute("xmlns", all.namespaceURI);
  return all;
}
