/** Many items at once: a grid of images, the rows of a table, a grid of curves; and saving them. */

import { curves } from "./curve.js";
import { h } from "./dom.js";
import { download, downloadCsv } from "./files.js";
import { paint, parse } from "./pictures.js";

const SMALL = 28; // pixels to which smaller pictures are enlarged

/**
 * @param {any} run
 * @param {any} answer what the server said of the items
 * @param {number} count
 * @param {string} word what one is called, such as "Sample"
 * @returns {{element: HTMLElement, answer: any, count: number}}
 */
export function gallery(run, answer, count, word) {
  const grid = { image: images, table: rows, vector: lines }[run.kind];
  return { element: grid(run, answer, count, word), answer, count };
}

/** The images as one picture that fills its place; on a canvas with a text instead of one for each. */
function images(run, answer, count, word) {
  const canvas = sheet(answer, count, columnsFor(answer, count));
  canvas.className = "picture gallery";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${count} ${word.toLowerCase()}s`);
  canvas.style.maxWidth = `${Math.round((tallest() * canvas.width) / canvas.height)}px`;
  return canvas;
}

const tallest = () => Math.max(320, 0.66 * innerHeight);

/** How many pictures side by side are largest on the screen, of those numbers that leave no gap. */
function columnsFor({ width, height }, count) {
  const place = Math.min(innerWidth - 32, 1232);
  const size = (across) => Math.min(place / (across * width), tallest() / ((count / across) * height));
  const whole = Array.from({ length: count }, (_, i) => i + 1).filter((across) => count % across === 0);
  return whole.reduce((best, across) => (size(across) > size(best) ? across : best));
}

function rows(run, answer, count, word) {
  const head = run.columns.map(({ name }) => h("th", { scope: "col" }, name));
  const body = answer.rows.map((cells) => h("tr", {}, cells.map((cell, i) =>
    h("td", { class: run.columns[i].values ? "" : "number" }, cell))));
  return h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": `${word}s` },
    h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)));
}

function lines(run, answer, count, word) {
  return h("div", { class: "curves" }, answer.values.map((values, i) => {
    const { element, put } = curves(run, `${word} ${i + 1}`);
    put(values);
    return element;
  }));
}

/**
 * Pictures side by side, small ones enlarged, with a pixel between them.
 * @param {import("./pictures.js").Pictures} answer
 * @param {number} count
 * @param {number} [across]
 */
export function sheet(answer, count, across = Math.ceil(Math.sqrt(count))) {
  const times = Math.max(1, Math.round(SMALL / answer.width));
  const [width, height] = [times * answer.width, times * answer.height];
  const canvas = h("canvas", { width: across * (width + 1) - 1, height: Math.ceil(count / across) * (height + 1) - 1 });
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  const one = h("canvas");
  for (let i = 0; i < count; i += 1) {
    context.drawImage(paint(one, answer, i), (i % across) * (width + 1), Math.floor(i / across) * (height + 1), width, height);
  }
  return canvas;
}

/** Items as the server packs them into JSON, pictures in base64 ↦ as everywhere else. */
export function unpack(run, answer) {
  return run.kind === "image" ? parse(Uint8Array.from(atob(answer.pictures), (char) => char.charCodeAt(0)).buffer) : answer;
}

/**
 * Offer what a gallery shows as a file.
 * @param {any} run
 * @param {{answer: any, count: number}} shown
 * @param {string} name without an ending
 */
export async function saveAs(run, shown, name) {
  if (run.kind === "image") {
    const blob = await new Promise((resolve) => sheet(shown.answer, shown.count).toBlob(resolve, "image/png"));
    return download(blob, `${name}.png`);
  }
  const [head, body] = run.kind === "table"
    ? [run.columns.map((column) => column.name), shown.answer.rows]
    : [shown.answer.values[0].map((_, i) => `x${i}`), shown.answer.values];
  return downloadCsv([head, ...body], `${name}.csv`);
}
