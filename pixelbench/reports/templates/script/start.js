// Everything begins here.

document.querySelectorAll("table[data-sortable]").forEach(makeSortable);
document.querySelectorAll(".controls").forEach(makeFilterable);
document.querySelectorAll(".themes").forEach(makeThemes);
document.querySelectorAll("button[data-open]").forEach(makeOpener);
equip(document);
followSections();
openForPaper();
document.addEventListener("toggle", (event) => unfold(event.target), true);
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a.thumb");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  enlarge(link);
});
addEventListener("hashchange", openTarget);
if (location.hash) openTarget();
