/** Lines over epochs, drawn at the size of their place, with the values under the pointer. */

import { fill, h, svg } from "./dom.js";
import { extent, fixed, niceStep, significant } from "./numbers.js";

const HEIGHT = 208;
const MARGIN = { top: 8, right: 8, bottom: 24, left: 52 };
const SKIPPED = 0.04; // share of the epochs, at the beginning, that do not stretch the scale

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {string} color
 * @property {boolean} [dashed]
 * @property {[number, number][]} points epoch and value, in order
 */

/** A chart with a heading; `update(series)` draws it. */
export class LineChart {
  #series = [];
  #width = 0;
  #svg = svg("svg", { class: "chart", role: "img" });
  #readout = h("p", { class: "readout muted small" });

  /**
   * @param {string} title what the lines are
   * @param {string} about what they mean, and whether less is better
   * @param {AbortSignal} signal
   */
  constructor(title, about, signal) {
    this.title = title;
    this.element = h("figure", { class: "panel" }, h("h2", {}, title), h("p", { class: "muted small" }, about),
      this.#svg, this.#readout);
    const observer = new ResizeObserver(([entry]) => {
      this.#width = entry.contentRect.width;
      this.#draw();
    });
    observer.observe(this.#svg);
    signal.addEventListener("abort", () => observer.disconnect());
    this.#svg.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    this.#svg.addEventListener("pointerleave", () => this.#point(null));
  }

  /** @param {Series[]} series lines without points are left out */
  update(series) {
    this.#series = series.filter(({ points }) => points.length);
    this.#draw();
  }

  #draw() {
    const scale = (this.scale = scales(this.#series, this.#width));
    this.#svg.setAttribute("aria-label", `${this.title}: ${spoken(this.#series) || "no values yet"}`);
    this.#svg.setAttribute("height", String(HEIGHT));
    if (!this.#width) return;
    this.cursor = svg("line", { class: "cursor", y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom, visibility: "hidden" });
    fill(this.#svg, ...grid(scale, this.#width), ...this.#series.map((one) => line(one, scale, this.#width)), this.cursor);
    this.#point(null);
  }

  /** Say the values at a place, or the last ones. */
  #point(left) {
    if (!this.#series.length || !this.scale) return void (this.#readout.textContent = "");
    const { toX, fromX } = this.scale;
    const wanted = left === null ? Infinity : fromX(left);
    const at = nearest(this.#series[0].points, wanted)[0];
    this.cursor?.setAttribute("visibility", left === null ? "hidden" : "visible");
    for (const name of ["x1", "x2"]) this.cursor?.setAttribute(name, toX(at));
    const values = this.#series.map(({ name, color, dashed, points }) =>
      h("span", { class: "reading" }, h("span", { class: dashed ? "key dashed" : "key", style: { borderColor: color } }),
        `${name} ${worded(nearest(points, at)[1])}`));
    fill(this.#readout, h("span", {}, `epoch ${at}`), ...values);
  }
}

const worded = (value) => (Math.abs(value) < 0.1 ? significant(value, 2) : fixed(value, Math.abs(value) < 10 ? 3 : 1));

const spoken = (series) => series.map(({ name, points }) => {
  const [[first, from], [last, to]] = [points[0], points.at(-1)];
  return `${name} from ${worded(from)} in epoch ${first} to ${worded(to)} in epoch ${last}`;
}).join("; ");

function nearest(points, wanted) {
  return points.reduce((best, point) => (Math.abs(point[0] - wanted) < Math.abs(best[0] - wanted) ? point : best),
    points.at(-1));
}

function scales(series, width) {
  const last = Math.max(2, ...series.map(({ points }) => points.at(-1)[0]));
  const values = series.flatMap(({ points }) => points.slice(Math.floor(SKIPPED * points.length)).map(([, y]) => y));
  const [low, high] = values.length ? extent(values) : [0, 1];
  const span = high - low || Math.abs(high) || 1;
  const step = niceStep(span / 4);
  const [bottom, top] = [Math.floor(low / step) * step, Math.ceil((high + 0.02 * span) / step) * step];
  const right = Math.max(width - MARGIN.left - MARGIN.right, 1);
  const down = HEIGHT - MARGIN.top - MARGIN.bottom;
  return {
    step, bottom, top, last,
    toX: (epoch) => MARGIN.left + (right * (epoch - 1)) / (last - 1),
    fromX: (x) => 1 + ((x - MARGIN.left) / right) * (last - 1),
    toY: (value) => MARGIN.top + down * (1 - (value - bottom) / (top - bottom)),
  };
}

function grid({ step, bottom, top, last, toX, toY }, width) {
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const rows = Array.from({ length: Math.round((top - bottom) / step) + 1 }, (_, i) => bottom + i * step).map((value) => [
    svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: toY(value), y2: toY(value) }),
    text(tick(value, step, decimals), { x: MARGIN.left - 8, y: toY(value) + 4, "text-anchor": "end" }),
  ]);
  const every = Math.max(1, niceStep(last / Math.max(2, width / 96)));
  const epochs = Array.from({ length: Math.floor(last / every) }, (_, i) => Math.round((i + 1) * every));
  const columns = [...new Set([1, ...epochs])].filter((epoch) => epoch <= last)
    .filter((epoch, _, all) => epoch !== 1 || all.length < 2 || toX(all[1]) - toX(1) > 24)
    .map((epoch) => text(String(epoch), { x: toX(epoch), y: HEIGHT - 6, "text-anchor": "middle" }));
  return [...rows.flat(), ...columns];
}

const tick = (value, step, decimals) => (step < 1e-3 ? significant(value, 2) : fixed(value, decimals));

/** A line within the plot's box, and a dot where there is one point alone. */
function line({ color, dashed, points }, { toX, toY }, width) {
  const path = points.map(([x, y], i) => `${i ? "L" : "M"}${toX(x).toFixed(1)} ${toY(y).toFixed(1)}`).join("");
  return svg("svg", { x: 0, y: 0, width, height: HEIGHT - MARGIN.bottom + 1 }, points.length > 1
    ? svg("path", { class: "line", d: path, stroke: color, ...(dashed ? { "stroke-dasharray": "5 4" } : {}) })
    : svg("circle", { cx: toX(points[0][0]), cy: toY(points[0][1]), r: 3, fill: color }));
}

function text(words, attributes) {
  return svg("text", attributes, words);
}
