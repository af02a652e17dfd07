// Settles light or dark before anything is painted; the choice is kept in this browser.
"use strict";
(() => {
  const kept = localStorage.getItem("filmcan-theme");
  const dark = kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
