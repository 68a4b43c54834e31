// What a page in a browser is looked at for: each gives a list of what is wrong.

// Each text in view whose contrast to the ground behind it is too little: below 4.5, of large letters 3.
function faint() {
  const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parts = (colour) => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    return [...brush.getImageData(0, 0, 1, 1).data];
  };
  const straight = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * straight(r / 255) + 0.7152 * straight(g / 255) + 0.0722 * straight(b / 255);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const found = parts(getComputedStyle(element).backgroundColor);
      if (found[3] === 255) return found;
    }
    return [255, 255, 255];
  };
  const wrong = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, said = walker.currentNode.textContent.trim();
    if (!said || element.closest("svg, script, style, .here, .unseen, math") || !element.checkVisibility({ visibilityProperty: true })) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const [a, b] = [light(parts(style.color)), light(ground(element))].sort((x, y) => y - x);
    const large = size >= 24 || (size >= 18.5 && style.fontWeight >= 700);
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) wrong.push(said.slice(0, 40));
  }
  return wrong;
}

// What a screen reader has no words for, headings that skip a level, and ids that are there twice.
function nameless() {
  const inner = (one) => [...one.querySelectorAll("[aria-label]")].map((part) => part.ariaLabel).join("");
  const named = (one) => (one.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent).join("");
  const name = (one) => one.ariaLabel || named(one) || one.textContent.trim() || inner(one) || one.labels?.[0]?.textContent.trim();
  const wanted = "a[href], button, input, select, summary, [role=img], [role=region], [role=group], dialog";
  const wrong = [...document.querySelectorAll(wanted)].filter((one) => !name(one)).map((one) => one.outerHTML.slice(0, 90));
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map((one) => Number(one.tagName[1]));
  levels.forEach((level, index) => index && level > levels[index - 1] + 1 && wrong.push(`h${level} below h${levels[index - 1]}`));
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  return [...wrong, ...ids.filter((id, index) => ids.indexOf(id) !== index)];
}

// Boxes that go on to the right and do not say so, and whatever makes the page wider than the screen.
function cutOff() {
  const goesOn = (box) => box.checkVisibility() && box.scrollWidth > box.clientWidth + 2;
  const tables = [...document.querySelectorAll(".scroll")].filter((box) => goesOn(box) && !getComputedStyle(box, "::before").content.includes("more"));
  const others = [...document.querySelectorAll("nav, nav ul, .controls, .answers, figure")].filter(goesOn);
  const wrong = [...tables, ...others].map((box) => box.outerHTML.slice(0, 80));
  return document.documentElement.scrollWidth > innerWidth ? [...wrong, "the page"] : wrong;
}
