// What was found in the picture, drawn over it: boxes, landmarks, maps, fields; whatever the
// schema calls one of these. Data come in stretches of time, so a long video costs little.
"use strict";
const Overlay = (() => {
  const STRETCH_SEC = 20;

  class Layer {
    constructor(address, series) {
      this.address = address;
      this.series = series;
      this.key = series.key;
      this.view = series.view;
      this.on = false;
      this.stretches = new Map();
      this.spacing = 0;
      this.onData = () => {};
    }

    get isWhole() {
      return this.view === "image_strip" || this.view === "flow_strip";
    }

    // Entries near a time; asks for them when they are not here yet.
    find(time) {
      const entries = this.isWhole ? this.series.pictures : this.stretch(time);
      if (!entries || !entries.length) return null;
      let best = null;
      for (const entry of entries) {
        if (entry.x !== null && (best === null || Math.abs(entry.x - time) < Math.abs(best.x - time))) best = entry;
      }
      return best;
    }

    stretch(time) {
      const number = Math.floor(time / STRETCH_SEC);
      if (!this.stretches.has(number)) {
        this.stretches.set(number, null);
        const query = new URLSearchParams({
          key: this.key, start_sec: String(number * STRETCH_SEC - 2),
          end_sec: String((number + 1) * STRETCH_SEC + 2), max_points: "4000",
        });
        fetch(`${this.address}/series?${query}`)
          .then((answer) => (answer.ok ? answer.json() : { series: [] }))
          .then((view) => {
            this.stretches.set(number, view.series.length ? view.series[0].frames : []);
            this.onData();
          });
      }
      return this.stretches.get(number);
    }
  }

  function draw(canvas, layers, time) {
    const box = canvas.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(box.width * ratio));
    canvas.height = Math.max(1, Math.round(box.height * ratio));
    const context = canvas.getContext("2d");
    const frame = { width: canvas.width, height: canvas.height, ratio };
    let drawn = 0;
    for (const layer of layers) {
      if (!layer.on) continue;
      const entry = layer.find(time);
      if (!entry) continue;
      drawn += PAINTERS[layer.view](context, frame, layer, entry) || 0;
    }
    canvas.dataset.drawn = String(drawn);
  }

  function boxes(context, { width, height, ratio }, layer, entry) {
    const colours = Charts.palette();
    context.font = `600 ${12 * ratio}px system-ui, sans-serif`;
    context.textBaseline = "top";
    entry.places.forEach(([x1, y1, x2, y2], at) => {
      const words = (entry.captions ? entry.captions[at] : []).filter((word) => word !== null);
      const colour = colours[hash(words[0]) % colours.length];
      const [left, top] = [x1 * width, y1 * height];
      context.lineWidth = 2 * ratio;
      context.strokeStyle = colour;
      context.strokeRect(left, top, (x2 - x1) * width, (y2 - y1) * height);
      const text = words.join(" ");
      if (!text) return;
      const wide = context.measureText(text).width + 8 * ratio;
      const above = Math.max(0, top - 17 * ratio);
      context.fillStyle = "rgba(0, 0, 0, 0.72)";
      context.fillRect(left, above, wide, 17 * ratio);
      context.fillStyle = "#fff";
      context.fillText(text, left + 4 * ratio, above + 3 * ratio);
    });
    return entry.places.length;
  }

  function landmarks(context, { width, height, ratio }, layer, entry) {
    context.fillStyle = Charts.token("--mark");
    for (const points of entry.places) {
      for (const [x, y] of points) context.fillRect(x * width - ratio / 2, y * height - ratio / 2, 1.6 * ratio, 1.6 * ratio);
    }
    return entry.places.length;
  }

  function map(context, { width, height }, layer, entry) {
    if (!entry.grey8) return 0;
    const canvas = document.createElement("canvas");
    Charts.paint(canvas, layer.series, entry, 150);
    context.imageSmoothingEnabled = true;
    context.drawImage(canvas, 0, 0, width, height);
    return 1;
  }

  function field(context, { width, height, ratio }, layer, entry) {
    if (!entry.vectors8) return 0;
    const [rows, columns] = layer.series.size;
    const values = Charts.bytes(entry.vectors8);
    const step = Math.max(1, Math.ceil(columns / 24));
    const reach = (1.2 * step * width) / columns / 127;
    context.strokeStyle = Charts.token("--mark");
    context.lineWidth = 1.4 * ratio;
    context.beginPath();
    for (let row = 0; row < rows; row += step) {
      for (let column = 0; column < columns; column += step) {
        const at = 2 * (row * columns + column);
        const x = ((column + 0.5) / columns) * width;
        const y = ((row + 0.5) / rows) * height;
        const dx = (values[at] << 24 >> 24) * reach;
        const dy = (values[at + 1] << 24 >> 24) * reach;
        if (Math.hypot(dx, dy) < ratio) continue;
        context.moveTo(x, y);
        context.lineTo(x + dx, y + dy);
        context.lineTo(x + dx - 0.3 * dx - 0.2 * dy, y + dy - 0.3 * dy + 0.2 * dx);
      }
    }
    context.stroke();
    return 1;
  }

  const PAINTERS = { boxes, landmarks, image_strip: map, flow_strip: field };
  const hash = (word) => [...String(word ?? "")].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7);
  const isLayer = (series) => series.axis.unit === "s" && series.view in PAINTERS;
  return { Layer, draw, isLayer };
})();
