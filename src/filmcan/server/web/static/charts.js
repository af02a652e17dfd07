// Series of the API -> pictures. Follows the view each series names and knows no component.
"use strict";
const Charts = (() => {
  const LEFT = 64;
  const RIGHT = 14;
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const palette = () => ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8"].map(token);
  const settings = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: "reset" };
  const scale = () => [[0, token("--heat0")], [0.5, token("--heat1")], [1, token("--heat2")]];
  const isLane = (series) => series.axis.unit === "s" && ["line", "events", "heat_map"].includes(series.view);
  // Plotly reads a little HTML in texts; names are a stranger's.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  function base(height) {
    return {
      height, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 11, color: token("--soft") },
      margin: { l: LEFT, r: RIGHT, t: 4, b: 26 }, showlegend: false, hovermode: "closest",
      hoverlabel: { bgcolor: token("--panel"), bordercolor: token("--line"), font: { color: token("--text") } },
      dragmode: "zoom",
    };
  }
  const axis = (more) => ({
    gridcolor: token("--grid"), zeroline: false, linecolor: token("--line"), fixedrange: false, ...more,
  });

  // One figure of lanes over one time axis.
  function lanes(place, list, { duration, onSeek, names }) {
    const gap = 18 / (list.length * 78 + 4); // the lane's name stands there
    const share = 1 / list.length;
    const colours = palette();
    const data = [];
    const end = duration || Math.max(1e-3, ...list.flatMap((s) => (s.curves || [s]).flatMap((c) => c.x || [])));
    const layout = base(list.length * 78 + 34);
    layout.xaxis = axis({ range: [0, end], ticksuffix: " s", anchor: `y${list.length > 1 ? list.length : ""}` });
    list.forEach((series, index) => {
      const number = index ? index + 1 : "";
      const top = 1 - index * share;
      layout[`yaxis${number}`] = axis({
        domain: [Math.max(0, top - share), top - gap], fixedrange: true, nticks: 3,
        tickfont: { size: 10 }, automargin: false,
        ...(series.view === "events" ? { showticklabels: false, range: [0, 1] } : {}),
      });
      const on = { xaxis: "x", yaxis: `y${number}` };
      if (series.view === "line") {
        series.curves.forEach((curve, at) => data.push({
          type: "scatter", mode: curve.x.length < 80 ? "lines+markers" : "lines", marker: { size: 3 },
          x: curve.x, y: curve.y, connectgaps: false, line: { width: 1.4, color: colours[at % colours.length] },
          hovertemplate: `%{x:.2f} s: %{y:.5g} ${plain(series.unit)}<extra>${plain(names ? names[at] || "" : curve.name)}</extra>`, ...on,
        }));
      } else if (series.view === "events") {
        data.push({
          type: "scatter", mode: "markers", x: series.x, y: series.x.map(() => 0.5),
          marker: { symbol: "line-ns", size: 22, line: { width: 1.2, color: colours[0] } },
          hovertemplate: "%{x:.2f} s<extra></extra>", ...on,
        });
      } else {
        data.push({
          type: "heatmap", x: series.x, z: transpose(series.cells),
          y: series.labels ? series.labels.map(plain) : undefined, colorscale: scale(), showscale: false,
          hovertemplate: "%{x:.2f} s, %{y}: %{z:.4g}<extra></extra>", hoverongaps: false, ...on,
        });
        if (series.labels) Object.assign(layout[`yaxis${number}`], { showticklabels: false });
      }
    });
    Plotly.react(place, data, layout, settings);
    if (!place.dataset.heard) {
      place.dataset.heard = "1";
      place.addEventListener("click", (event) => {
        const at = timeAt(place, event.clientX);
        if (at !== null && onSeek) onSeek(at);
      });
    }
  }

  function similarity(place, series, { onSeek }) {
    const layout = base(300);
    layout.margin = { l: LEFT, r: RIGHT, t: 8, b: 30 };
    layout.xaxis = axis({ ticksuffix: series.axis.unit === "s" ? " s" : "" });
    layout.yaxis = axis({ autorange: "reversed", ticksuffix: series.axis.unit === "s" ? " s" : "" });
    Plotly.react(place, [{
      type: "heatmap", x: series.x, y: series.x, z: series.cells, colorscale: scale(),
      colorbar: { thickness: 8, outlinewidth: 0, tickfont: { size: 10 } },
      hovertemplate: "%{x:.2f} and %{y:.2f}: %{z:.3f}<extra></extra>",
    }], layout, settings);
    if (!place.dataset.heard) {
      place.dataset.heard = "1";
      place.on("plotly_click", (event) => onSeek && onSeek(event.points[0].x));
    }
  }

  function bars(place, series) {
    const layout = base(150);
    layout.xaxis = axis({ type: series.labels ? "category" : "linear" });
    layout.yaxis = axis({ nticks: 4 });
    Plotly.react(place, [{
      type: "bar", x: series.labels ? series.labels.map(plain) : series.values.map((_, i) => i),
      y: series.values, marker: { color: palette()[0] },
      hovertemplate: `%{x}: %{y:.5g} ${plain(series.unit)}<extra></extra>`,
    }], layout, settings);
  }

  function strip(place, series, { onSeek }) {
    place.textContent = "";
    for (const picture of series.pictures) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "thumb";
      button.setAttribute("aria-label", `${series.key} at ${(picture.x ?? 0).toFixed(1)} s`);
      const canvas = document.createElement("canvas");
      paint(canvas, series, picture);
      const label = document.createElement("span");
      label.textContent = picture.x === null ? "" : `${picture.x.toFixed(1)} s`;
      button.append(canvas, label);
      if (onSeek && picture.x !== null) button.addEventListener("click", () => onSeek(picture.x));
      place.append(button);
    }
  }

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  // A dark-to-light ramp that is told apart without colour too.
  const ramp = (level) => {
    const t = level / 255;
    return [255 * Math.min(1, 1.6 * t * t + 0.1), 255 * Math.min(1, 0.15 + 0.85 * t), 255 * Math.min(1, 0.45 + 0.5 * Math.sin(3.1 * t))];
  };

  function paint(canvas, series, picture, alpha = 255) {
    const [height, width] = series.size;
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const data = picture.grey8 ?? picture.vectors8;
    if (data) {
      const values = bytes(data);
      for (let at = 0; at < width * height; at += 1) {
        let colour;
        let opacity = alpha;
        if (picture.grey8) {
          colour = ramp(values[at]);
        } else {
          const x = (values[2 * at] << 24 >> 24) / 127;
          const y = (values[2 * at + 1] << 24 >> 24) / 127;
          colour = hue(Math.atan2(y, x), Math.min(1, Math.hypot(x, y)));
        }
        image.data.set([...colour, opacity], 4 * at);
      }
    }
    context.putImageData(image, 0, 0);
  }

  function hue(angle, strength) {
    const h = ((angle * 3) / Math.PI + 6) % 6;
    const f = (n) => {
      const k = (n + h) % 6;
      return 255 * (1 - strength * Math.max(0, Math.min(k, 4 - k, 1)));
    };
    return [f(5), f(3), f(1)];
  }

  const transpose = (cells) => (cells.length ? cells[0].map((_, column) => cells.map((row) => row[column])) : []);

  // The time under the pointer, or null outside of the plot.
  function timeAt(place, clientX) {
    const full = place._fullLayout;
    if (!full) return null;
    const box = place.getBoundingClientRect();
    const at = clientX - box.left - full._size.l;
    if (at < 0 || at > full._size.w) return null;
    return full.xaxis.p2d(at);
  }

  // Where a time lies from the left of a figure, or null outside of it.
  function placeOf(place, time) {
    const full = place._fullLayout;
    if (!full) return null;
    const at = full.xaxis.d2p(time);
    return at < 0 || at > full._size.w ? null : at + full._size.l;
  }

  return { lanes, similarity, bars, strip, paint, bytes, isLane, placeOf, plain, palette, token };
})();
