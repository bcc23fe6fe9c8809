/** What lies over the points: pictures where they are few, names, the lasso. */

import { drawAxes } from "./canvas.js";
import { inside } from "./nearest.js";
import { token } from "./theme.js";

/**
 * Draw all of it, and the axes.
 * @param {CanvasRenderingContext2D} context
 * @param {object} view the clusters
 */
export function drawOverlay(context, { viewport, plane, points, coloring, centers, polygon, few, thumbnails }) {
  thumbnails.draw(context, viewport, few, points, coloring);
  drawNames(context, apart(centers.map(([text, x, y]) => [text, ...viewport.toScreen(x, y)])));
  drawAxes(context, viewport, plane.names);
  context.strokeStyle = token("--accent");
  context.lineWidth = 2;
  context.beginPath();
  polygon.forEach(([x, y]) => context.lineTo(...viewport.toScreen(x, y)));
  context.stroke();
}

function drawNames(context, names) {
  context.font = `600 12px ${token("--font")}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = token("--paper");
  context.fillStyle = token("--ink");
  for (const [name, left, top] of names) {
    context.strokeText(name, left, top);
    context.fillText(name, left, top);
  }
}

/** Names moved down where they would lie on others. */
function apart(names) {
  const [wide, high] = [64, 15];
  const placed = [];
  for (const [name, left, top] of names.sort((a, b) => a[2] - b[2])) {
    const under = placed.filter((other) => Math.abs(other[1] - left) < wide && top - other[2] < high);
    placed.push([name, left, Math.max(top, ...under.map((other) => other[2] + high))]);
  }
  return placed;
}

/** The points in view that are shown. */
export function inView({ viewport, points, coloring }) {
  const { left, right, bottom, top } = viewport.bounds;
  const corners = [[left, bottom], [right, bottom], [right, top], [left, top]];
  return inside(corners, { ...points, shown: coloring.shown });
}
