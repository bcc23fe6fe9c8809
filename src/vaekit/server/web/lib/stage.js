/** Two canvases one above the other, in which a person moves: what is seen, and what marks it. */

import { keepSharp } from "./canvas.js";
import { h } from "./dom.js";

/**
 * A place for a plane: `element` holds `ground` and `overlay`, and `note` for what is going on.
 * @param {string} label what it is
 * @param {string} hint what keys do
 */
export function makeStage(label, hint) {
  const [ground, overlay] = [h("canvas"), h("canvas")];
  const note = h("p", { class: "badge", hidden: true });
  const id = `hint-${Math.random().toString(36).slice(2)}`;
  const element = h("div", { class: "plane", role: "application", tabIndex: 0, "aria-label": label, "aria-describedby": id },
    ground, overlay, note);
  return { element, ground, overlay, note, hint: h("p", { class: "muted small keys", id }, hint) };
}

/**
 * Keep both canvases sharp.
 * @param {ReturnType<typeof makeStage>} stage
 * @param {(width: number, height: number) => void} resized
 * @param {() => void} drawOver
 * @param {AbortSignal} signal
 */
export function keepStageSharp({ ground, overlay }, resized, drawOver, signal) {
  keepSharp(ground, resized, signal);
  keepSharp(overlay, drawOver, signal);
}

/** Say what is seen: for tests, and for those who look into the page. */
export function describe({ element }, viewport, facts) {
  Object.assign(element.dataset, { view: [viewport.x, viewport.y, viewport.unit].join(" "), ...facts });
}
