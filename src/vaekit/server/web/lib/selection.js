/** A selection of points as a file. */

import { downloadCsv } from "./files.js";

/**
 * Save the selected points as CSV: their position among the examples, their label, and where they lie.
 * @param {string} name of the run
 * @param {{selected: Set<number>, points: object, plane: object, coloring: object}} view
 */
export function saveSelection(name, { selected, points, plane, coloring }) {
  const label = (i) => {
    const value = coloring.values[i];
    if (value === null || value === -1) return "";
    return coloring.names ? coloring.names[value] : value;
  };
  const head = ["index", ...(coloring.values ? [coloring.by] : []), plane.name(plane.first), plane.name(plane.second)];
  const rows = [...selected].sort((a, b) => a - b).map((i) =>
    [i, ...(coloring.values ? [label(i)] : []), points.xy[2 * i], points.xy[2 * i + 1]]);
  downloadCsv([head, ...rows], `${name}-selection.csv`);
}
