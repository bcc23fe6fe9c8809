/** What a conditional model is told. */

import { field, select } from "./dom.js";

/**
 * A choice of a label, null for a model that is told none.
 * @param {{labels: string[]|null}} run
 * @param {string} text before the choice
 * @param {string} none what it is called that no label is told
 * @param {string|null} chosen
 * @param {(label: string|null) => void} onchange
 */
export function labelChoice({ labels }, text, none, chosen, onchange) {
  if (!labels) return null;
  const options = [["", none], ...labels.map((name) => [name, name])];
  return field(text, select(options, chosen ?? "", (value) => onchange(value || null)));
}
