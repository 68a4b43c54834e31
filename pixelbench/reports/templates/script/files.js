// Tables and drawings as files: CSV, LaTeX, SVG, PNG. Everything is made here; nothing is fetched or sent.

function save(content, kind, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: kind }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function shownText(cell) {
  const parts = [];
  const walk = (node) => {
    for (const child of node.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) parts.push(child.textContent);
      else if (child.nodeName === "SMALL") parts.push(` (${child.textContent})`);
      else if (!(child instanceof SVGElement || child.nodeName === "DETAILS" || child.classList?.contains("thumb"))) walk(child);
    }
  };
  walk(cell);
  return parts.join("").replace(/\s+/g, " ").trim();
}

// The rows in view, without pictures and drawings.
function contents(table) {
  const heads = [...table.tHead.rows[0].cells];
  const kept = heads.map((head, index) => [head, index]).filter(([head]) => !head.classList.contains("pictures") && !head.classList.contains("plot"));
  const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden && row.cells.length === heads.length);
  const numbers = kept.map(([head]) => head.classList.contains("number"));
  return { titles: kept.map(([head]) => head.textContent.trim()), numbers, rows: rows.map((row) => kept.map(([, index]) => row.cells[index])) };
}

// A text that a spreadsheet would compute has an apostrophe before it, as `pixelbench report --format csv` has it.
function csvField(text) {
  const plain = /^\s*[=+\-@\uff0b\uff0d\uff1d\uff20]/.test(text) && !/^[-+]?\d[\d.,e+-]*$/.test(text) ? "'" + text : text;
  return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

// Of numbers the whole value, and beside it what is shown.
function tableAsCsv(table) {
  const { titles, numbers, rows } = contents(table);
  const lines = [titles.flatMap((title, index) => (numbers[index] ? [title, title + ", shown"] : [title]))];
  for (const row of rows) lines.push(row.flatMap((cell, index) => (numbers[index] ? [cell.dataset.order ?? "", shownText(cell)] : [shownText(cell)])));
  return lines.map((line) => line.map(csvField).join(",")).join("\n") + "\n";
}

const TEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}", "≤": "$\\leq$", "±": "$\\pm$", "–": "--", "−": "$-$", "≠": "$\\neq$", "✓": "\\checkmark{}", "▲": "$\\uparrow$", "▼": "$\\downarrow$", "◔": "$\\ldots$", "✕": "$\\times$", "≈": "$\\approx$" };

function tex(text) {
  return text.replace(/[&%$#_{}]/g, "\\$&").replace(/[\\~^<>≤±–−≠✓▲▼◔✕≈]/g, (one, place, all) => (one === "\\" && /[&%$#_{}]/.test(all[place + 1] ?? "") ? one : TEX[one]));
}

function tableAsTex(table) {
  const { titles, numbers, rows } = contents(table);
  const line = (cells) => cells.map(tex).join(" & ") + " \\\\";
  return [
    "% \\usepackage{booktabs, amssymb}",
    `\\begin{tabular}{${numbers.map((one) => (one ? "r" : "l")).join("")}}`,
    "\\toprule",
    line(titles),
    "\\midrule",
    ...rows.map((row) => line(row.map(shownText))),
    "\\bottomrule",
    "\\end{tabular}",
    "",
  ].join("\n");
}

function curvesAsCsv(figure) {
  const lines = ["variant,update,train,validation"];
  for (const line of figure.querySelectorAll("[data-points]")) for (const point of line.dataset.points.split("\n")) lines.push(`${csvField(line.dataset.label)},${point}`);
  return lines.join("\n") + "\n";
}

function curvesAsTex(figure) {
  const plots = [...figure.querySelectorAll("[data-points]")].map((line) => {
    const points = line.dataset.points.split("\n").map((point) => point.split(",")).map(([update, train, validation]) => [update, validation || train]);
    const places = points.filter(([, value]) => value).map(([update, value]) => `(${update},${value})`).join(" ");
    return `\\addplot coordinates {${places}};\n\\addlegendentry{${tex(line.dataset.label)}}`;
  });
  return ["% \\usepackage{pgfplots}", "\\begin{tikzpicture}", `\\begin{axis}[xlabel=updates, ylabel={${tex(figure.dataset.unit)}}, no markers]`, ...plots, "\\end{axis}", "\\end{tikzpicture}", ""].join("\n");
}

function asSvg(drawn) {
  return new XMLSerializer().serializeToString(drawn);
}

// Twice as large as it is shown, on the ground of the page.
function asPng(drawn) {
  const [, , width, height] = drawn.getAttribute("viewBox").split(" ").map(Number), scale = 1800 / width;
  drawn.setAttribute("width", width * scale);
  drawn.setAttribute("height", height * scale);
  return new Promise((done, failed) => {
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [width * scale, height * scale];
      const brush = canvas.getContext("2d");
      brush.fillStyle = getComputedStyle(document.body).backgroundColor;
      brush.fillRect(0, 0, canvas.width, canvas.height);
      brush.drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob(done, "image/png");
    };
    image.onerror = failed;
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(asSvg(drawn));
  });
}
