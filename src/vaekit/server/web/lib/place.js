/** Where an item lies among the data: on the plane of its latents, and beside its neighbours. */

import { newest } from "./api.js";
import { cleared, keepSharp } from "./canvas.js";
import { classColor, css, scaleColor } from "./color.js";
import { fill, h } from "./dom.js";
import { itemView } from "./item.js";
import { extent, fixed, whole } from "./numbers.js";
import { token } from "./theme.js";

const MANY = 1000; // points, which are drawn smaller
const MARGIN = 10;

/**
 * A small plane with some of the data and a ring where the item is; nothing where the latent space is a line.
 * @param {any} app
 * @returns {{element: HTMLElement, show: (at: [number, number]|null) => void}|null}
 */
export function placeOnPlane(app) {
  if (app.run.latents < 2) return null;
  const canvas = h("canvas", { class: "plot little-plane", role: "img", "aria-label": "Where the item lies among the data" });
  const words = h("p", { class: "muted small" }, "Encoding some of the data …");
  let [crowd, spot] = [null, null];

  const draw = () => {
    if (!crowd || !canvas.clientWidth) return;
    drawPoints(canvas, crowd.points, crowd.colors, spot);
    words.textContent = app.run.latents > 2
      ? "The ring is the item, the points are data, in the two directions along which the data vary most."
      : "The ring is the item, the points are data.";
    if (spot) canvas.setAttribute("aria-label", `The item is at ${spot.map((value) => fixed(value, 2)).join(", ")} among the data`);
  };
  keepSharp(canvas, draw, app.signal);
  app.onTheme(draw);
  load(app).then((found) => {
    crowd = found;
    draw();
  });
  return {
    element: h("section", { class: "panel" }, h("h2", {}, "Where it lies"), canvas, words),
    show(at) {
      spot = at;
      draw();
    },
  };
}

async function load(app) {
  const [{ index, points }, { by }] = await Promise.all([app.api("page/map"), app.api("page/data")]);
  const { names, values } = by.length ? await app.api("page/colors", { query: { by: by[0] } }) : { names: [], values: null };
  return { points, colors: inks(names, values && index.map((i) => values[i]), points.length) };
}

/** A colour for each point. */
function inks(names, values, count) {
  if (!values) return new Array(count).fill(css(classColor(0)));
  if (names) return values.map((value) => (value < 0 ? null : css(classColor(value))));
  const [low, high] = extent(values.filter((value) => value !== null));
  return values.map((value) => (value === null ? null : css(scaleColor((value - low) / (high - low || 1)))));
}

function drawPoints(canvas, points, colors, spot) {
  const context = cleared(canvas);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const all = spot ? [...points, spot] : points;
  const toX = scale(all.map(([x]) => x), MARGIN, width - MARGIN);
  const toY = scale(all.map(([, y]) => y), height - MARGIN, MARGIN);
  const size = points.length > MANY ? 2 : 4;
  context.globalAlpha = 0.7;
  points.forEach(([x, y], i) => {
    context.fillStyle = colors[i] ?? token("--edge");
    context.fillRect(toX(x) - size / 2, toY(y) - size / 2, size, size);
  });
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
  const [low, high] = extent(values);
  return (value) => from + ((to - from) * (value - low)) / (high - low || 1);
}

/**
 * The items of the data that the model describes most alike.
 * @param {any} app
 * @param {{by: string[]}} data
 */
export function neighborList(app, data) {
  const { run } = app;
  const list = h("ol", { class: run.kind === "table" ? "neighbors rows" : "neighbors" }, h("li", { class: "muted" }, "Encoding …"));
  const labels = data.by.includes("label") ? app.api("page/colors", { query: { by: "label" } }) : Promise.resolve(null);
  const show = newest(async (signal, { index, distance }) => {
    const query = { index: index.join(",") };
    const [answer, named] = await Promise.all([
      app.api("page/items", { query, as: "items", signal }), labels]);
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
