/** Canvases as sharp as the screen, and the axes around a plane. */

import { fixed, niceStep } from "./numbers.js";
import { token } from "./theme.js";

const MOST_PIXELS = 3e6;

/**
 * Keep a canvas as large as its place on the page, in the screen's own pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {(width: number, height: number) => void} resized called with CSS pixels, at first too
 * @param {AbortSignal} signal
 */
export function keepSharp(canvas, resized, signal) {
  const observer = new ResizeObserver(([entry]) => {
    const { width, height } = entry.contentRect;
    if (!width || !height) return;
    const ratio = Math.min(devicePixelRatio, Math.sqrt(MOST_PIXELS / (width * height)));
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    resized(width, height);
  });
  observer.observe(canvas);
  signal.addEventListener("abort", () => observer.disconnect());
}

/** A canvas's context in CSS pixels, cleared. */
export function cleared(canvas) {
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const ratio = canvas.width / (canvas.clientWidth || 1);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/**
 * Ticks along the lower and the left edge, on a ground of their own so that they are read over pictures too.
 * @param {CanvasRenderingContext2D} context
 * @param {import("./viewport.js").Viewport} viewport
 * @param {[string, string]} names of the axes
 */
export function drawAxes(context, viewport, [across, up]) {
  const { width, height, bounds } = viewport;
  const [bottom, side] = [22, 44];
  context.save();
  context.font = `11px ${token("--font")}`;
  context.fillStyle = token("--paper");
  context.fillRect(0, height - bottom, width, bottom);
  context.fillRect(0, 0, side, height);
  context.fillRect(0, 0, context.measureText(up).width + 12, 20);
  context.fillStyle = token("--muted");
  context.textBaseline = "middle";
  const step = niceStep(80 / viewport.unit);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  context.textAlign = "center";
  const endOfName = width - context.measureText(across).width - 16;
  for (const x of ticks(bounds.left, bounds.right, step)) {
    const [left] = viewport.toScreen(x, 0);
    if (left > side + 12 && left < endOfName - 16) context.fillText(fixed(x, decimals), left, height - bottom / 2);
  }
  context.textAlign = "right";
  for (const y of ticks(bounds.bottom, bounds.top, step)) {
    const [, top] = viewport.toScreen(0, y);
    if (top < height - bottom - 8 && top > 26) context.fillText(fixed(y, decimals), side - 8, top);
  }
  context.fillStyle = token("--ink");
  context.fillText(across, width - 4, height - bottom / 2);
  context.textAlign = "left";
  context.fillText(up, 4, 10);
  context.restore();
}

function ticks(low, high, step) {
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.max(0, Math.floor(high / step) - first + 1) }, (_, i) => (first + i) * step);
}
