/** Which two axes make the plane, and sliders for the others. */

import { button, field, h, select } from "./dom.js";
import { fixed } from "./numbers.js";
import { Plane } from "./plane.js";

const SLIDERS = 8; // shown at first
const STEPS = 200;

/**
 * Controls for a plane, none where there are just two axes.
 * @param {Plane} plane
 * @param {(plane: Plane) => void} turned other axes make another plane
 * @param {() => void} [moved] a slider of another axis has moved; without it there are no sliders
 * @returns {Node[]}
 */
export function axesControls(plane, turned, moved) {
  if (plane.axes.center.length <= 2) return [];
  const choose = (chosen) => turned(new Plane(plane.axes, { principal: plane.principal, ...chosen }));
  const kinds = [["dims", "latent dimensions"], ["principal", "principal directions of the data"]];
  const kind = select(kinds, plane.principal ? "principal" : "dims", (value) => choose({ principal: value === "principal" }));
  const text = (axis) => [plane.name(axis), plane.weight(axis)].filter(Boolean).join(" · ");
  const options = plane.order.map((axis) => [String(axis), text(axis)]);
  const first = select(options, String(plane.first), (value) => choose({ first: Number(value), second: plane.second }));
  const second = select(options, String(plane.second), (value) => choose({ first: plane.first, second: Number(value) }));
  const chosen = [field("Axes", kind), field("Across", first), field("Up", second)];
  return moved ? [...chosen, sliders(plane, moved)] : chosen;
}

function sliders(plane, changed) {
  const box = h("div", { class: "stack sliders" });
  const show = (axes, more) => box.append(...axes.map((axis) => slider(plane, axis, changed)), ...more);
  const { others } = plane;
  const rest = others.slice(SLIDERS);
  const more = button(`${rest.length} more`, () => {
    more.remove();
    show(rest, []);
  }, { class: "quiet" });
  const reset = button("Set all back", () => {
    plane.held.clear();
    box.querySelectorAll("input").forEach((input) => input.dispatchEvent(new Event("reset")));
    changed();
  }, { class: "quiet" });
  box.append(h("h2", {}, "The other axes, those that matter most first"));
  show(others.slice(0, SLIDERS), rest.length ? [more] : []);
  if (others.length) box.append(reset);
  return box;
}

function slider(plane, axis, changed) {
  const [low, high] = plane.range(axis);
  const value = h("output", {}, fixed(plane.value(axis)));
  const input = h("input", { type: "range", min: low, max: high, step: (high - low) / STEPS || 1, value: plane.value(axis) });
  const show = () => (value.textContent = fixed(plane.value(axis)));
  input.addEventListener("input", () => {
    plane.held.set(axis, Number(input.value));
    show();
    changed();
  });
  input.addEventListener("reset", () => {
    input.value = plane.value(axis);
    show();
  });
  const weight = plane.weight(axis);
  return field(weight ? `${plane.name(axis)} · ${weight}` : plane.name(axis), input, value);
}
