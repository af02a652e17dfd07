// The page of one run: a clock (the video, or a slider), every curve in step with it, overlays.
"use strict";
(() => {
  const page = document.getElementById("run");
  const address = page.dataset.address;
  const canvas = document.getElementById("overlay");
  const slider = document.getElementById("time");
  const shown = document.getElementById("shown-time");
  const toggles = document.getElementById("layers");
  const still = document.getElementById("still");
  let video = document.getElementById("video");
  let duration = Number(page.dataset.duration) || 0;
  let now = 0;
  const layers = [];
  const figures = [];

  // --- the clock
  function show(time, { from } = {}) {
    now = Math.max(0, duration ? Math.min(time, duration) : time);
    if (from !== "slider") slider.value = String(now);
    slider.setAttribute("aria-valuetext", `${now.toFixed(2)} seconds`);
    shown.textContent = `${now.toFixed(2)} s`;
    page.dataset.now = now.toFixed(3);
    for (const figure of figures) moveCursor(figure);
    if (canvas) Overlay.draw(canvas, layers, now);
  }

  function seek(time) {
    if (video) video.currentTime = time;
    show(time);
    showStill();
  }

  let waiting = null;
  function showStill() {
    if (video || !still) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      still.src = `${address}/frame?at_sec=${now.toFixed(2)}&width=640`;
    }, 120);
  }

  slider.addEventListener("input", () => {
    if (video) video.currentTime = Number(slider.value);
    show(Number(slider.value), { from: "slider" });
    showStill();
  });

  function lose() {
    // What this browser cannot play is shown frame by frame.
    if (!video) return;
    video.remove();
    video = null;
    still.hidden = false;
    document.getElementById("player-note").hidden = false;
    showStill();
  }

  if (video) {
    video.addEventListener("loadedmetadata", () => {
      if (!duration && Number.isFinite(video.duration)) duration = video.duration;
      fit(video.videoWidth, video.videoHeight);
      if (!video.videoWidth && page.dataset.width) lose();
    });
    video.addEventListener("error", lose);
    if (video.error) lose();
    video.addEventListener("seeked", () => show(video.currentTime));
    const follow = () => {
      if (!video) return;
      show(video.currentTime);
      if (!video.paused && !video.ended) requestAnimationFrame(follow);
    };
    video.addEventListener("play", follow);
    video.addEventListener("pause", () => video && show(video.currentTime));
  }
  if (still) still.addEventListener("load", () => fit(still.naturalWidth, still.naturalHeight));

  const stage = document.getElementById("stage");
  function fit(width, height) {
    if (width && height) stage.style.aspectRatio = `${width} / ${height}`;
    show(now);
  }
  fit(Number(page.dataset.width), Number(page.dataset.height));
  new ResizeObserver(() => show(now)).observe(stage);

  // --- lanes
  function moveCursor(figure) {
    const at = Charts.placeOf(figure.place, now);
    figure.cursor.hidden = at === null;
    if (at !== null) figure.cursor.style.transform = `translateX(${at}px)`;
  }

  function heading(series) {
    const line = document.createElement("div");
    line.className = "lane-name";
    const name = document.createElement("b");
    name.textContent = series.key;
    line.append(name);
    const told = [series.unit, series.missing_count ? `${series.missing_count} missing: ${series.missing_reason}` : ""];
    const rest = document.createElement("span");
    rest.textContent = told.filter(Boolean).join(" · ");
    rest.title = series.description;
    line.append(rest);
    return line;
  }

  function isBlank(series) {
    return series.points_of === 0 || (series.cells_of && !series.cells_of[0]);
  }

  // A curve without a single value would be an axis that means nothing.
  function isGap(series) {
    return series.curves && series.curves.every((curve) => curve.y.every((value) => value === null));
  }

  function render(section, view) {
    const body = section.querySelector(".lanes");
    body.textContent = "";
    body.setAttribute("aria-busy", "false");
    const known = view.series.filter((series) => series.key !== "feature_values" && !isBlank(series));
    known.filter(isGap).forEach((series) => body.append(heading(series)));
    const along = known.filter((series) => Charts.isLane(series) && !isGap(series));
    if (along.length) {
      const wrapper = document.createElement("div");
      wrapper.className = "figure";
      const names = document.createElement("div");
      names.className = "lane-names";
      along.forEach((series) => names.append(heading(series)));
      const place = document.createElement("div");
      place.className = "plot";
      place.setAttribute("role", "img");
      place.setAttribute("aria-label", `${section.dataset.component}: ${along.map((s) => s.key).join(", ")} over time`);
      const cursor = document.createElement("div");
      cursor.className = "cursor";
      wrapper.append(place, names, cursor);
      body.append(wrapper);
      const figure = { place, cursor, draw: () => Charts.lanes(place, along, { duration, onSeek: seek }) };
      figure.draw();
      place.on("plotly_relayout", () => moveCursor(figure));
      figures.push(figure);
      moveCursor(figure);
    }
    for (const series of known.filter((item) => !Charts.isLane(item) && !isGap(item))) {
      const place = document.createElement("div");
      if (series.view === "similarity" || series.view === "bars" || series.view === "heat_map") {
        body.append(heading(series), place);
        place.className = "plot";
        place.setAttribute("role", "img");
        place.setAttribute("aria-label", `${series.key}: ${series.description}`);
        const figure = {
          draw: () => (series.view === "bars" ? Charts.bars(place, series) : Charts.similarity(place, series, { onSeek: seek })),
        };
        if (series.view === "heat_map") figure.draw = () => Charts.lanes(place, [series], { onSeek: null });
        figure.draw();
        redrawn.push(figure);
      } else if (series.pictures) {
        body.append(heading(series), place);
        place.className = "strip";
        Charts.strip(place, series, { onSeek: series.axis.unit === "s" ? seek : null });
      }
      if (Overlay.isLayer(series)) addLayer(section.dataset.component, series);
    }
    if (!body.children.length) {
      const note = document.createElement("p");
      note.className = "quiet";
      note.textContent = known.length ? "Shown over the video: switch it on above." : "Nothing to draw.";
      body.append(note);
    }
    section.dataset.ready = "1";
  }
  const redrawn = [];
  document.addEventListener("filmcan:theme", () => {
    for (const figure of [...figures, ...redrawn]) figure.draw();
    show(now);
  });

  function addLayer(component, series) {
    if (layers.some((layer) => layer.key === series.key && layer.component === component)) return;
    const layer = new Overlay.Layer(`${address}/components/${component}`, series);
    layer.component = component;
    layer.onData = () => Overlay.draw(canvas, layers, now);
    layers.push(layer);
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.addEventListener("change", () => {
      layer.on = box.checked;
      Overlay.draw(canvas, layers, now);
    });
    label.append(box, ` ${series.key}`);
    label.title = `${component}: ${series.description}`;
    toggles.append(label);
    document.getElementById("no-layers").hidden = true;
  }

  async function load(section) {
    if (section.dataset.asked) return;
    section.dataset.asked = "1";
    const body = section.querySelector(".lanes");
    try {
      const answer = await fetch(`${address}/components/${section.dataset.component}/series?max_points=1500`);
      const view = await answer.json();
      if (!answer.ok) throw new Error(`${view.error.code}: ${view.error.message}`);
      render(section, view);
    } catch (error) {
      body.textContent = `This could not be drawn. ${error.message}`;
      body.classList.add("bad");
      section.dataset.ready = "1";
    }
  }

  const sections = [...document.querySelectorAll("section[data-component]")];
  const watcher = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => load(entry.target)),
    { rootMargin: "600px" },
  );
  sections.forEach((section) => watcher.observe(section));
  // Overlays belong to the player, wherever their lane is on the page.
  sections.filter((section) => section.dataset.overlays).forEach(load);
  show(0);
})();
