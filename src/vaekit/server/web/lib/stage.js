/** A canvas in which a person moves, and a ring that marks a place in it. */

import { h } from "./dom.js";

/**
 * A place for a plane: `element` holds `ground`, a `ring`, and a `note` for what is going on.
 * @param {string} label what it is
 * @param {string} hint what keys do
 */
export function makeStage(label, hint) {
  const ground = h("canvas");
  const ring = h("div", { class: "ring", hidden: true });
  const note = h("p", { class: "badge", hidden: true });
  const id = `hint-${Math.random().toString(36).slice(2)}`;
  const element = h("div", { class: "plane", role: "application", tabIndex: 0, "aria-label": label, "aria-describedby": id },
    ground, ring, note);
  return { element, ground, ring, note, hint: h("p", { class: "muted small keys", id }, hint) };
}

/** Put the ring around a point of the plane, or take it away; an element of its own, as a canvas takes long to redraw. */
export function mark({ ring }, viewport, point) {
  ring.hidden = !point;
  if (point) ring.style.translate = viewport.toScreen(...point).map((pixels) => `${pixels}px`).join(" ");
}

/** Say what is seen: for tests, and for those who look into the page. */
export function describe({ element }, viewport, facts) {
  Object.assign(element.dataset, { view: [viewport.x, viewport.y, viewport.unit].join(" "), ...facts });
}
