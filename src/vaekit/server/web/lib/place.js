/** Where an item lies among the data: on the plane of its latents, and beside its neighbours. */

import { newest } from "./api.js";
import { cleared, keepSharp } from "./canvas.js";
import { classColor, css, scaleColor } from "./color.js";
import { fill, h } from "./dom.js";
import { itemView } from "./item.js";
import { fixed, whole } from "./numbers.js";
import { token } from "./theme.js";

const MOST_POINTS = 6000; // of the data, evenly picked
const MARGIN = 10;

/**
 * A small plane with some of the data and a ring where the item is.
 * @param {any} app
 */
export function placeOnPlane(app) {
  const canvas = h("canvas", { class: "plot little-plane", role: "img" });
  const words = h("p", { class: "muted small" }, "Encoding the data …");
  let [axes, points, colors, z] = [null, null, null, null];

  const draw = () => {
    if (!points || !canvas.clientWidth) return;
    const spot = z && axes.center.length > 1 ? [coordinate(axes, z, 0), coordinate(axes, z, 1)] : null;
    drawPoints(canvas, points, colors, spot);
    if (!spot) return;
    words.textContent = axes.center.length > 2
      ? "The ring is the item, the points are data, in the two directions along which the data vary most."
      : "The ring is the item, the points are data.";
    canvas.setAttribute("aria-label", `The item lies at ${spot.map((value) => fixed(value, 2)).join(", ")} among the data`);
  };
  keepSharp(canvas, draw, app.signal);
  app.onTheme(draw);
  load(app).then((found) => {
    [axes, points, colors] = found;
    draw();
  });
  return {
    element: h("section", { class: "panel" }, h("h2", {}, "Where it lies"), canvas, words),
    show(given) {
      z = given;
      draw();
    },
  };
}

async function load(app) {
  const axes = await app.api("page/axes");
  if (axes.center.length < 2) return [axes, new Float32Array(), []];
  const [first, second] = axes.center.length > 2 ? ["p0", "p1"] : ["0", "1"];
  const [points, { by }] = await Promise.all([
    app.api("page/points", { query: { first, second }, as: "float32" }), app.api("page/data")]);
  const { names, values } = by.length ? await app.api("page/colors", { query: { by: by[0] } }) : { names: [], values: null };
  return [axes, points, inks(names, values, points.length / 2)];
}

/** A colour for each point. */
function inks(names, values, count) {
  if (!values) return new Array(count).fill(css(classColor(0)));
  if (names) return values.map((value) => (value < 0 ? null : css(classColor(value))));
  const known = values.filter((value) => value !== null);
  const [low, high] = known.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  return values.map((value) => (value === null ? null : css(scaleColor((value - low) / (high - low || 1)))));
}

function coordinate({ center, directions }, z, axis) {
  if (center.length <= 2) return z[axis];
  return directions[axis].reduce((sum, part, d) => sum + part * (z[d] - center[d]), 0);
}

function drawPoints(canvas, points, colors, spot) {
  const context = cleared(canvas);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const every = Math.max(1, Math.floor(points.length / 2 / MOST_POINTS));
  const xs = [spot?.[0] ?? points[0]];
  const ys = [spot?.[1] ?? points[1]];
  for (let i = 0; i < points.length / 2; i += every) {
    xs.push(points[2 * i]);
    ys.push(points[2 * i + 1]);
  }
  const [toX, toY] = [scale(xs, MARGIN, width - MARGIN), scale(ys, height - MARGIN, MARGIN)];
  const size = points.length / 2 / every > 1000 ? 2 : 4;
  context.globalAlpha = 0.7;
  for (let i = 0; i < points.length / 2; i += every) {
    context.fillStyle = colors[i] ?? token("--edge");
    context.fillRect(toX(points[2 * i]) - size / 2, toY(points[2 * i + 1]) - size / 2, size, size);
  }
  context.globalAlpha = 1;
  if (!spot) return;
  for (const [color, thick] of [[token("--paper"), 6], [token("--ink"), 2.5]]) {
    context.strokeStyle = color;
    context.lineWidth = thick;
    context.beginPath();
    context.arc(toX(spot[0]), toY(spot[1]), 7, 0, 2 * Math.PI);
    context.stroke();
  }
}

function scale(values, from, to) {
  const [low, high] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  return (value) => from + ((to - from) * (value - low)) / (high - low || 1);
}

/**
 * The items of the data that the model describes most alike.
 * @param {any} app
 * @param {{by: string[]}} data
 */
export function neighborList(app, data) {
  const { run } = app;
  const list = h("ol", { class: run.kind === "table" ? "neighbors rows" : "neighbors" });
  const labels = data.by.includes("label") ? app.api("page/colors", { query: { by: "label" } }) : Promise.resolve(null);
  const show = newest(async (signal, z) => {
    const { index, distance } = await app.api("page/neighbors", { body: { z }, signal });
    const [answer, named] = await Promise.all([
      app.api("page/items", { query: { index: index.join(",") }, as: run.kind === "image" ? "pictures" : "json", signal }), labels]);
    if (signal.aborted) return;
    const label = (i) => named?.names?.[named.values[i]] ?? "";
    fill(list, run.kind === "table" ? rows(run, answer, index) : index.map((i, k) => {
      const view = itemView(run, `Item ${i} ${label(i)}`.trim());
      view.show(answer, k);
      return h("li", { title: `${fixed(distance[k], 2)} away` }, view.element, h("span", { class: "small" }, label(i)),
        h("span", { class: "muted small" }, `no. ${whole(i)}`));
    }));
  });
  const about = "The items of the data that it describes most alike, the nearest first.";
  return { element: h("section", { class: "panel" }, h("h2", {}, "Neighbours"), h("p", { class: "muted small" }, about), list), show };
}

function rows(run, answer, index) {
  const head = [h("th", { scope: "col", class: "number" }, "no."), ...run.columns.map(({ name }) => h("th", { scope: "col" }, name))];
  const body = answer.rows.map((cells, k) => h("tr", {}, h("td", { class: "number muted" }, whole(index[k])),
    cells.map((cell) => h("td", {}, cell))));
  return h("li", { class: "scroll", tabIndex: 0, role: "group", "aria-label": "Neighbours" },
    h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)));
}
