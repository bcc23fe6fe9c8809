/** The latent space as a plane of decoded items, and whatever the pointer is at, decoded live. */

import { cleared, drawAxes, keepSharp } from "../lib/canvas.js";
import { field, fill, h, onFrame, select } from "../lib/dom.js";
import { itemView } from "../lib/item.js";
import { fixed } from "../lib/numbers.js";
import { Plane } from "../lib/plane.js";
import { decodedTiles } from "../lib/planetiles.js";
import { axesControls } from "../lib/planecontrols.js";
import { token } from "../lib/theme.js";
import { Viewport, navigate, navigateByKeys } from "../lib/viewport.js";

const PATIENCE = 60; // milliseconds until the nearest decoded item is shown instead of the exact one
const SETTLED = 120; // milliseconds without a change until the plane is decoded anew
const SPOKEN = 400; // milliseconds without a key until the point is said
const HINT = "Arrow keys move the point, with Shift further; + and − zoom; 0 shows all again.";

export const id = "manifold";
export const title = "Manifold";
export const caption =
  "Each place on this plane stands for an item that the model can make, and neighbours make similar ones. " +
  "Move the pointer to decode the place under it; drag to pan, scroll or pinch to zoom.";

/** Why there is no plane to look at, or null. */
export function suits(run) {
  if (run.discrete) {
    return "This model describes an item by codes from a book, and between codes there is nothing: it has no plane. " +
      "Look at Clusters, Samples or Your own item.";
  }
  if (run.latents < 2) return "This model has a latent space of one dimension, and a plane needs two. Look at Samples.";
  return null;
}

export function mount(root, app) {
  app.message("Reading the latent space …", "busy");
  app.api("page/axes").then((axes) => {
    app.message(null);
    build(root, app, axes);
  });
}

function build(root, app, axes) {
  const { run, signal } = app;
  const [ground, overlay] = [h("canvas"), h("canvas")];
  const stage = h("div", { class: "plane", role: "application", tabIndex: 0, "aria-label": "Plane of the latent space",
    "aria-describedby": "plane-hint" }, ground, overlay);
  const large = itemView(run, "The decoded item");
  const place = h("p", { class: "place" });
  const side = h("div", { class: "stack" });
  fill(root, h("div", { class: "split" },
    h("div", { class: "stack" }, stage, h("p", { class: "muted small", id: "plane-hint" }, HINT)), side));

  const view = { plane: planeFrom(app, axes), viewport: new Viewport(), label: app.state.get("label"), point: [0, 0] };
  const tiles = decodedTiles(app, view, () => draw());
  const spoken = later(SPOKEN, () => app.announce(words(view.plane, view.point)), signal);
  const settled = later(SETTLED, () => {
    tiles.reset();
    draw();
  }, signal);

  const draw = onFrame(() => {
    if (signal.aborted) return;
    const context = cleared(ground);
    stage.dataset.complete = tiles.draw(context, view.viewport);
    stage.dataset.view = [view.viewport.x, view.viewport.y, view.viewport.unit].join(" ");
    drawAxes(context, view.viewport, [view.plane.name(view.plane.first), view.plane.name(view.plane.second)]);
    mark(overlay, view);
  });
  const drawMark = onFrame(() => mark(overlay, view));

  const decode = decoder(app, view, tiles, (answer, index, exact) => {
    large.show(answer, index);
    stage.dataset.shown = view.point.join(" ");
    stage.dataset.exact = exact;
  });

  function pointTo(point) {
    view.point = point;
    place.textContent = words(view.plane, point);
    drawMark();
    decode();
  }

  /** The plane has changed: other axes, other values of those held, or another label. */
  function changed({ now = false } = {}) {
    pointTo(view.point);
    if (now) tiles.reset();
    else settled();
    draw();
  }

  /** Other axes: show all of the new plane. */
  function turned() {
    view.viewport.fit(view.plane.box);
    view.point = middle(view.plane.box);
    app.state.set({ axes: view.plane.keys.join(",") });
    controls();
    changed({ now: true });
  }

  function controls() {
    fill(side,
      h("section", { class: "panel" }, h("h2", {}, "Decoded here"), large.element, place),
      h("section", { class: "panel stack", hidden: !hasControls(run) }, labelChoice(), ...tiles.controls(),
        ...axesControls(view, { turned, changed })));
  }

  function labelChoice() {
    if (!run.labels) return null;
    const options = [["", "unknown"], ...run.labels.map((name) => [name, name])];
    return field("Label the model is told", select(options, view.label ?? "", (value) => {
      view.label = value || null;
      app.state.set({ label: view.label });
      changed({ now: true });
    }));
  }

  keepSharp(ground, (width, height) => {
    const first = view.viewport.width === 1;
    view.viewport.resize(width, height);
    if (first) view.viewport.fit(view.plane.box);
    draw();
  }, signal);
  keepSharp(overlay, drawMark, signal);
  app.onTheme(draw);
  navigate(stage, view.viewport, {
    change: draw,
    point: (left, top) => pointTo(view.viewport.toPlane(left, top)),
    fingerPoints: true,
  }, signal);
  navigateByKeys(stage, view.viewport, {
    change: draw,
    step: (dx, dy) => {
      pointTo([view.point[0] + dx, view.point[1] + dy]);
      keepInside(view);
      draw();
      spoken();
    },
  }, signal);
  controls();
  pointTo(middle(view.plane.box));
}

const hasControls = (run) => Boolean(run.labels || run.latents > 2 || run.kind === "table");

const middle = ({ left, right, bottom, top }) => [left, bottom].map((low, i) => {
  const high = [right, top][i];
  return low <= 0 && high >= 0 ? 0 : (low + high) / 2;
});

/** The plane that the address names, else the one that matters most. */
function planeFrom(app, axes) {
  const [first, second] = (app.state.get("axes") ?? "").split(",");
  const principal = Boolean(first?.startsWith("p"));
  const number = (text) => (text ? Number(text.replace("p", "")) : undefined);
  return new Plane(axes, { principal, first: number(first), second: number(second) });
}

/** A function that decodes the point: what is near is shown if the exact item takes long. */
function decoder(app, view, tiles, show) {
  let waiting = 0;
  return async () => {
    const [x, y] = view.point;
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const near = app.signal.aborted ? null : tiles.nearest(x, y);
      if (near) show(near.answer, near.index, false);
    }, PATIENCE);
    const z = Array.from(view.plane.points([[x, y]]));
    try {
      const answer = await app.live.ask({ run: app.run.name, kind: "decode", z, label: view.label });
      if (!answer || app.signal.aborted) return;
      clearTimeout(waiting);
      show(answer, 0, true);
    } catch (error) {
      app.message(error.message, "error");
    }
  };
}

/** A ring where the point is. */
function mark(canvas, { viewport, point }) {
  const context = cleared(canvas);
  const [left, top] = viewport.toScreen(...point);
  for (const [color, width] of [[token("--paper"), 5], [token("--accent"), 2.5]]) {
    context.strokeStyle = color;
    context.lineWidth = width;
    context.beginPath();
    context.arc(left, top, 9, 0, 2 * Math.PI);
    context.stroke();
  }
}

function keepInside({ viewport, point }) {
  const { left, right, bottom, top } = viewport.bounds;
  const margin = 24 / viewport.unit;
  viewport.x += Math.max(0, point[0] - right + margin) - Math.max(0, left + 3 * margin - point[0]);
  viewport.y += Math.max(0, point[1] - top + margin) - Math.max(0, bottom + 2 * margin - point[1]);
}

const words = (plane, [x, y]) =>
  `${plane.name(plane.first)} ${fixed(x)}, ${plane.name(plane.second)} ${fixed(y)}`;

/** A function that calls `work` once it has not been called for a while. */
function later(wait, work, signal) {
  let timer = 0;
  signal.addEventListener("abort", () => clearTimeout(timer));
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, wait);
  };
}
