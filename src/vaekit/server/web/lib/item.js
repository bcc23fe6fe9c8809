/** How an item is shown: an image, a row of a table, or a curve; whatever the run's items are. */

import { classColor, css, scaleColor } from "./color.js";
import { curves, scaled } from "./curve.js";
import { h } from "./dom.js";
import { significant } from "./numbers.js";
import { paint } from "./pictures.js";

/**
 * An element that shows one item and can show another: `show(answer, index)` takes what the server answered.
 * @param {{kind: string, item: number[]|null, columns: object[]|null}} run
 * @param {string} text what it is, for those who cannot see it
 * @returns {{element: HTMLElement, show: (answer: any, index?: number) => void}}
 */
export function itemView(run, text) {
  if (run.kind === "image") return imageView(run, text);
  return run.kind === "table" ? rowView(run) : curveView(run, text);
}

function imageView(run, text) {
  const [height, width] = run.item;
  const element = h("canvas", { class: "picture", role: "img", "aria-label": text, width, height });
  return { element, show: (pictures, index = 0) => void paint(element, pictures, index) };
}

function rowView(run) {
  const { element, show } = rowsView(run, 1);
  return { element, show: ({ rows }, index = 0) => show([rows[index]]) };
}

/** Rows of a table side by side, a line for each column. */
function rowsView(run, count, heads) {
  const cells = run.columns.map(() => Array.from({ length: count }, () => h("td")));
  const body = run.columns.map(({ name }, i) => h("tr", {}, h("th", { scope: "row" }, name), cells[i]));
  const head = heads && h("thead", {}, h("tr", {}, h("td"), heads.map((text) => h("th", { scope: "col" }, text))));
  const show = (rows) => rows.forEach((row, r) => row.forEach((value, i) => {
    cells[i][r].textContent = value || "missing";
    cells[i][r].classList.toggle("muted", !value);
  }));
  return { element: h("table", { class: "item-row" }, head, h("tbody", {}, body)), show };
}

/**
 * An item beside its reconstruction: `show` takes what `page/items` answers to one index, `reconstructed`.
 * @param {{kind: string, item: number[]|null, columns: object[]|null}} run
 * @param {[string, string]} [heads] what they are called
 */
export function pairView(run, heads = ["Item", "Reconstruction"]) {
  if (run.kind === "table") {
    const { element, show } = rowsView(run, 2, heads);
    return { element, show: ({ rows }) => show(rows) };
  }
  if (run.kind === "vector") {
    const { element, put } = curves(run, heads.join(" and "), 2);
    return { element: h("div", {}, scaled(run, element), curveLegend(heads)), show: ({ values }) => put(...values) };
  }
  const views = heads.map((text) => itemView(run, text));
  const figures = views.map(({ element }, i) => h("figure", {}, element, h("figcaption", { class: "muted small" }, heads[i])));
  return {
    element: h("div", { class: "pair" }, figures),
    show: (answer) => views.forEach(({ show }, i) => show(answer, i)),
  };
}

const curveLegend = (names) => h("ul", { class: "legend" },
  names.map((name, i) => h("li", {}, h("span", { class: `key ${["first", "second"][i]}` }), name)));

function curveView(run, text) {
  const { element, put } = curves(run, text);
  return { element: scaled(run, element), show: ({ values }, index = 0) => put(values[index]) };
}

/** What a column's number from 0 to 1 is coloured: by its class, or on a scale. */
export function cellColor(column, share) {
  return column.values ? classColor(Math.round(share * (column.values.length - 1))) : scaleColor(share);
}

/**
 * A column's colours in words: its names, or the two ends of its scale.
 * @param {{name: string, values: string[]|null, low: number, high: number, extent: string|null}} column
 */
export function columnLegend(column) {
  if (column.values) {
    const entries = column.values.map((name, k) =>
      h("li", {}, h("span", { class: "swatch", style: { background: css(classColor(k)) } }), name));
    return h("ul", { class: "legend" }, entries);
  }
  const ends = column.extent?.split(" to ") ?? [significant(column.low), significant(column.high)];
  return h("div", { class: "scale" }, scaleBar(), h("span", {}, ends[0]), h("span", {}, ends[1]));
}

/** A bar of the scale's colours, or of a part of it. */
export function scaleBar([low, high] = [0, 1]) {
  const canvas = h("canvas", { width: 128, height: 1, class: "scale-bar", "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  for (let x = 0; x < 128; x += 1) {
    context.fillStyle = css(scaleColor(low + (high - low) * (x / 127)));
    context.fillRect(x, 0, 1, 1);
  }
  return canvas;
}
