// Brings the page up to date in place: scroll position, open details, focus and selection stay as they are.
"use strict";
(() => {
  const selecting = () => {
    const chosen = document.getSelection();
    return chosen && !chosen.isCollapsed && document.querySelector("main").contains(chosen.anchorNode);
  };
  const replace = (page) => {
    const open = [...document.querySelectorAll("details[open]")].map((details) => details.id);
    const focused = document.activeElement?.closest("main a")?.getAttribute("href");
    const parts = ["main", "#freshness"].map((name) => [document.querySelector(name), page.querySelector(name)]);
    if (parts.some(([, next]) => !next)) throw new Error("this is not a page of the bot");
    for (const [now, next] of parts) now.replaceWith(next);
    document.title = page.title;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.querySelector(`main a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  };
  const refresh = async () => {
    if (document.hidden || selecting()) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
      replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      document.querySelector("#freshness").classList.add("lost");
    }
  };
  setInterval(refresh, 5000);
  document.addEventListener("visibilitychange", refresh);
})();
