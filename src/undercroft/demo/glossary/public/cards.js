/* A card for each linked term: on hover and on focus, closed with Escape, and itself a place to go on from. */
(() => {
  "use strict";

  const card = document.createElement("div");
  card.className = "card";
  card.hidden = true;
  card.id = "term-card";
  document.body.append(card);
  let owner = null;
  let leaving = 0;

  function show(link) {
    clearTimeout(leaving);
    if (owner === link) return;
    hide();
    owner = link;
    const title = Object.assign(document.createElement("strong"), { textContent: link.dataset.title });
    const summary = Object.assign(document.createElement("p"), { textContent: link.dataset.summary });
    const more = Object.assign(document.createElement("a"), { href: link.href, textContent: `More about ${link.dataset.title}`, tabIndex: -1 });
    card.replaceChildren(title, summary, more);
    card.hidden = false;
    link.setAttribute("aria-describedby", card.id);
    place(link.getClientRects()[0]);
  }

  function place(at) {
    const edge = document.documentElement.clientWidth - card.offsetWidth - 12;
    const isBelow = at.bottom + card.offsetHeight + 16 < window.innerHeight || at.top < card.offsetHeight + 16;
    card.style.left = `${Math.max(12, Math.min(at.left, edge)) + window.scrollX}px`;
    card.style.top = `${(isBelow ? at.bottom + 8 : at.top - card.offsetHeight - 8) + window.scrollY}px`;
  }

  function hide() {
    owner?.removeAttribute("aria-describedby");
    owner = null;
    card.hidden = true;
  }

  function leave() {
    clearTimeout(leaving);
    leaving = setTimeout(hide, 250);
  }

  for (const link of document.querySelectorAll("a.term")) {
    link.removeAttribute("title");
    link.addEventListener("mouseenter", () => show(link));
    link.addEventListener("focus", () => show(link));
    link.addEventListener("mouseleave", leave);
    link.addEventListener("blur", leave);
  }
  card.addEventListener("mouseenter", () => clearTimeout(leaving));
  card.addEventListener("mouseleave", leave);
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
})();
