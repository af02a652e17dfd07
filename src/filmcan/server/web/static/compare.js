// Two runs over each other: every curve both have, in one lane.
"use strict";
(async () => {
  const page = document.getElementById("compare");
  if (!page) return;
  const [left, right] = [page.dataset.left, page.dataset.right].map((path) => `/api/v1/runs/${path}`);
  for (const place of page.querySelectorAll(".overlaid")) {
    const address = `components/${place.dataset.component}/series?max_points=1000`;
    const views = await Promise.all([left, right].map(async (run) => {
      const answer = await fetch(`${run}/${address}`);
      return answer.ok ? answer.json() : { series: [] };
    }));
    const pick = (view) => view.series.filter((series) => series.view === "line" && series.curves.length);
    const [first, second] = views.map(pick);
    const both = first.filter((series) => second.some((other) => other.key === series.key));
    place.setAttribute("aria-busy", "false");
    place.textContent = "";
    if (!both.length) {
      place.textContent = "No curves to lay over each other.";
      continue;
    }
    const list = both.map((series) => ({
      ...series,
      curves: [...series.curves.slice(0, 1), ...second.find((other) => other.key === series.key).curves.slice(0, 1)],
    }));
    const names = document.createElement("div");
    names.className = "lane-names";
    for (const series of list) {
      const line = document.createElement("div");
      line.className = "lane-name";
      const name = document.createElement("b");
      name.textContent = series.key;
      line.append(name, ` ${series.unit}`);
      names.append(line);
    }
    const plot = document.createElement("div");
    plot.className = "plot";
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", `${place.dataset.component}: curves of both runs`);
    place.append(plot, names);
    const draw = () => Charts.lanes(plot, list, { names: ["left", "right"] });
    draw();
    document.addEventListener("filmcan:theme", draw);
  }
})();
