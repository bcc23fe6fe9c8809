/** Vectors as lines over their entries, all of a run on one scale, so that they can be compared. */

import { h, svg } from "./dom.js";
import { significant } from "./numbers.js";
import { token } from "./theme.js";

/**
 * One or more lines; `put` takes a vector for each.
 * @param {{low: number[], high: number[]}} run
 * @param {string} text what they are, for those who cannot see them
 * @param {number} [count]
 * @returns {{element: SVGElement, put: (...vectors: ArrayLike<number>[]) => void}}
 */
export function curves(run, text, count = 1) {
  const lines = Array.from({ length: count }, () => svg("polyline"));
  const element = svg("svg", { class: "curve", role: "img", "aria-label": text, viewBox: "-2 -6 104 112", preserveAspectRatio: "none" },
    ...lines);
  const points = (values) => shares(run, values).map((share, i, all) => `${(100 * i) / Math.max(1, all.length - 1)},${100 * (1 - share)}`);
  return { element, put: (...vectors) => vectors.forEach((values, k) => lines[k].setAttribute("points", points(values).join(" "))) };
}

/** The same with the ends of the scale beside it, where all entries have the same. */
export function scaled({ low, high }, curve) {
  const isOne = [low, high].every((ends) => ends.every((end) => end === ends[0]));
  const ends = [high, low].map((values) => h("span", {}, isOne ? significant(values[0]) : ""));
  return h("div", { class: "scaled" }, h("div", { class: "ends-of-scale muted small", "aria-hidden": "true" }, ends), curve);
}

/**
 * A vector as a line within a box [left, top, width, height] of a canvas.
 * @param {CanvasRenderingContext2D} context
 */
export function strokeCurve(context, run, values, [left, top, width, height]) {
  context.strokeStyle = token("--accent");
  context.lineWidth = 1;
  context.beginPath();
  shares(run, values).forEach((share, i, all) => {
    context.lineTo(left + (width * i) / Math.max(1, all.length - 1), top + height * (1 - share));
  });
  context.stroke();
}

/** Where the entries lie between the least and the greatest values of the data, from 0 to 1. */
const shares = ({ low, high }, values) => Array.from(values, (value, i) => (value - low[i]) / (high[i] - low[i] || 1));
