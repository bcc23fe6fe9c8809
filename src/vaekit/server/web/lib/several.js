/** Several runs side by side: which ones, and a colour for each. */

import { classColor, css } from "./color.js";
import { h } from "./dom.js";
import { token } from "./theme.js";

/**
 * The names of the runs that are shown: the chosen one first, then those that the address adds.
 * @param {any} app
 * @returns {string[]}
 */
export function shown(app) {
  const more = (app.state.get("with") ?? "").split(",").filter(Boolean);
  return [app.run.name, ...app.runs.map(({ name }) => name).filter((name) => name !== app.run.name && more.includes(name))];
}

/**
 * Boxes to tick for the other runs; nothing where there are none.
 * @param {any} app
 * @param {() => void} onchange
 */
export function runChoice(app, onchange) {
  const others = app.runs.filter(({ name }) => name !== app.run.name);
  if (!others.length) return null;
  const boxes = others.map(({ name }) => {
    const box = h("input", { type: "checkbox", value: name, checked: shown(app).includes(name), onchange: () => {
      const chosen = boxes.map((label) => label.firstChild).filter(({ checked }) => checked);
      app.state.set({ with: chosen.map(({ value }) => value).join(",") || null });
      onchange();
    } });
    return h("label", { class: "choice" }, box, name);
  });
  return h("fieldset", { class: "row plain" }, h("legend", {}, "Compare with"), boxes);
}

/** The colour of a run: the accent for the chosen one, then those of the classes. */
export const colorOf = (app, name) => {
  const place = shown(app).indexOf(name);
  return place <= 0 ? token("--accent") : css(classColor(place));
};
