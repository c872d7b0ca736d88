"use strict";
(() => {
  const toolbar = document.querySelector(".toolbar");
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  const cases = [...document.querySelectorAll("details.case")].map((element) => ({
    element,
    verdict: element.dataset.verdict,
    text: element.querySelector("summary").textContent.toLowerCase() + " " +
      element.querySelector(".muted").textContent.toLowerCase(),
  }));
  const boxes = [...toolbar.querySelectorAll("[data-verdict]")];

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdicts = new Set(boxes.filter((box) => box.checked).map((box) => box.dataset.verdict));
    let count = 0;
    for (const { element, verdict, text } of cases) {
      const fits = verdicts.has(verdict) && words.every((word) => text.includes(word));
      element.hidden = !fits;
      count += fits ? 1 : 0;
    }
    shown.textContent = `${count} of ${cases.length} shown`;
  }

  // A link to something inside a folded part unfolds it, also in browsers that do not do so themselves.
  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let part = target; part; part = part.parentElement) {
      if (part.tagName === "DETAILS") {
        part.open = true;
        part.hidden = false;
      }
    }
    if (target) target.scrollIntoView();
  }

  toolbar.hidden = false;
  toolbar.addEventListener("submit", (event) => event.preventDefault());
  toolbar.addEventListener("input", filter);
  for (const link of document.querySelectorAll("[data-find]")) {
    link.addEventListener("click", () => {
      search.value = link.dataset.find;
      filter();
    });
  }
  addEventListener("hashchange", reveal);
  filter();
  if (location.hash) reveal();
})();
