/** A selection of points as a file. */

import { h } from "./dom.js";

/**
 * Save the selected points as CSV: their position among the examples, their label, and where they lie.
 * @param {string} name of the run
 * @param {{selected: Set<number>, points: object, plane: object, coloring: object}} view
 */
export function saveSelection(name, view) {
  const url = URL.createObjectURL(new Blob([csv(view)], { type: "text/csv" }));
  const link = h("a", { href: url, download: `${name}-selection.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** The selection as CSV (RFC 4180). */
export function csv({ selected, points, plane, coloring }) {
  const label = (i) => {
    const value = coloring.values[i];
    if (value === null || value === -1) return "";
    return coloring.names ? coloring.names[value] : value;
  };
  const head = ["index", ...(coloring.values ? [coloring.by] : []), plane.name(plane.first), plane.name(plane.second)];
  const rows = [...selected].sort((a, b) => a - b).map((i) =>
    [i, ...(coloring.values ? [label(i)] : []), points.xy[2 * i], points.xy[2 * i + 1]]);
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function cell(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
