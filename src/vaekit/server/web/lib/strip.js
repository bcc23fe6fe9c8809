/** Items in a row, each a button: images, curves, or the rows of a table side by side. */

import { curves } from "./curve.js";
import { h } from "./dom.js";
import { picture } from "./pictures.js";

/**
 * @param {any} run
 * @param {any} answer items as the server sends them
 * @param {number[]} steps which of them
 * @param {(step: number) => void} choose
 * @returns {HTMLElement}
 */
export function strip(run, answer, steps, choose) {
  if (run.kind === "table") return columns(run, answer, steps.filter((_, i) => i % 2 === 0), choose);
  const share = (step) => `${Math.round((100 * step) / steps.at(-1))} % of the way`;
  const view = (step) => (run.kind === "image" ? picture(answer, step, share(step)) : curve(run, answer.values[step], share(step)));
  return h("div", { class: "strip" }, steps.map((step) =>
    h("button", { type: "button", class: "thumb", onclick: () => choose(step) }, view(step))));
}

function curve(run, values, text) {
  const { element, put } = curves(run, text);
  put(values);
  return element;
}

/** A line for each column of the table; what differs from the step before is marked. */
function columns(run, answer, steps, choose) {
  const head = steps.map((step) => h("th", { scope: "col" }, h("button", { type: "button", class: "quiet", onclick: () => choose(step) },
    `${Math.round((100 * step) / steps.at(-1))} %`)));
  const rows = run.columns.map(({ name }, column) => h("tr", {}, h("th", { scope: "row" }, name), steps.map((step, i) => {
    const changed = i > 0 && answer.rows[step][column] !== answer.rows[steps[i - 1]][column];
    return h("td", { class: changed ? "changed" : "muted" }, answer.rows[step][column]);
  })));
  return h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Steps of the walk" },
    h("table", {}, h("thead", {}, h("tr", {}, h("td"), head)), h("tbody", {}, rows)));
}
