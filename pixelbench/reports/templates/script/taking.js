// The buttons below tables and drawings.

function fileName(text) {
  return text.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, 80) || "pixelbench";
}

function offer(after, what, kinds) {
  const box = document.createElement("div");
  box.className = "take";
  box.setAttribute("role", "group");
  box.ariaLabel = "Take away " + what;
  for (const [said, take] of kinds) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain";
    button.textContent = said;
    button.ariaLabel = `${said}: ${what}`;
    button.addEventListener("click", take);
    box.append(button);
  }
  after.after(box);
}

function drawingKinds(name, drawn) {
  return [
    ["SVG", () => save(asSvg(drawn()), "image/svg+xml", name + ".svg")],
    ["PNG", async () => save(await asPng(drawn()), "image/png", name + ".png")],
  ];
}

function offerTable(table) {
  const name = fileName(table.id);
  const kinds = [
    ["CSV", () => save(tableAsCsv(table), "text/csv", name + ".csv")],
    ["LaTeX", () => save(tableAsTex(table), "text/x-tex", name + ".tex")],
  ];
  if (table.querySelector(".plot")) kinds.push(...drawingKinds(name, () => drawnTable(table)));
  offer(table.closest(".scroll") ?? table, table.caption.textContent.trim(), kinds);
}

function offerFigure(figure) {
  const name = fileName(figure.dataset.take), svg = figure.querySelector("svg");
  const kinds = drawingKinds(name, () => standalone(svg));
  if (figure.querySelector("[data-points]")) {
    kinds.unshift(["CSV", () => save(curvesAsCsv(figure), "text/csv", name + ".csv")]);
    kinds.push(["LaTeX", () => save(curvesAsTex(figure), "text/x-tex", name + ".tex")]);
  }
  offer(figure.lastElementChild, figure.dataset.take, kinds);
}

// What stands in a part of the page, also one that is made when it opens.
function equip(part) {
  part.querySelectorAll("table[data-take]").forEach(offerTable);
  part.querySelectorAll("figure[data-take]").forEach(offerFigure);
  part.querySelectorAll("pre[data-copy]").forEach(makeCopyable);
  part.querySelectorAll(".scroll").forEach(hintAtMore);
}
