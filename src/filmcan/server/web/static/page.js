// What every page has: the theme switch, copy buttons, filters over tables, rows made on demand.
"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const tell = () => {
    const dark = root.dataset.theme === "dark";
    button.setAttribute("aria-pressed", String(dark));
    button.textContent = dark ? "Light" : "Dark";
  };
  button.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("filmcan-theme", root.dataset.theme);
    tell();
    document.dispatchEvent(new CustomEvent("filmcan:theme"));
  });
  tell();

  const live = document.getElementById("live");
  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (!copy) return;
    try {
      await navigator.clipboard.writeText(copy.dataset.copy);
      live.textContent = "Copied.";
      copy.classList.add("done");
      setTimeout(() => copy.classList.remove("done"), 1200);
    } catch {
      live.textContent = "The browser did not let the page copy.";
    }
  });

  for (const field of document.querySelectorAll("[data-filters]")) {
    const table = document.getElementById(field.dataset.filters);
    const count = document.getElementById(`${field.dataset.filters}-count`);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        const text = row.dataset.text || (row.dataset.text = row.textContent.toLowerCase());
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      if (count) count.textContent = `${shown} shown`;
    });
  }

  for (const control of document.querySelectorAll("[data-submits]")) {
    control.addEventListener("change", () => control.form.requestSubmit());
  }

  const judge = document.getElementById("judge");
  if (judge) {
    judge.addEventListener("click", async () => {
      const place = document.getElementById("findings");
      judge.disabled = true;
      place.textContent = "Reading every byte of the run…";
      const answer = await fetch(judge.dataset.address);
      const found = await answer.json();
      place.textContent = "";
      judge.disabled = false;
      const head = document.createElement("p");
      head.className = found.valid ? "good" : "bad";
      head.textContent = found.error
        ? `${found.error.code}: ${found.error.message}`
        : `${found.valid ? "Valid" : "Invalid"}: ${found.artifacts} artifacts, ${found.issues.length} findings.`;
      place.append(head);
      const list = document.createElement("ul");
      for (const issue of found.issues || []) {
        const item = document.createElement("li");
        const level = document.createElement("strong");
        level.textContent = `${issue.level} ${issue.code}`;
        item.append(level, ` ${issue.key} ${issue.message}`);
        if (issue.where) {
          const where = document.createElement("small");
          where.textContent = ` ${issue.where}`;
          item.append(where);
        }
        list.append(item);
      }
      place.append(list);
    });
  }
})();
