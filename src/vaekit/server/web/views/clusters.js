/** The encoded data as points: coloured, filtered, looked at one by one, and selected. */

import { newest } from "../lib/api.js";
import { cleared, drawAxes, keepSharp } from "../lib/canvas.js";
import { Coloring, legend } from "../lib/coloring.js";
import { button, field, fill, h, onFrame, select } from "../lib/dom.js";
import { itemView } from "../lib/item.js";
import { Nearest, bulkOf, inside } from "../lib/nearest.js";
import { counted, whole } from "../lib/numbers.js";
import { Plane } from "../lib/plane.js";
import { axesControls } from "../lib/planecontrols.js";
import { PointCloud } from "../lib/pointcloud.js";
import { saveSelection } from "../lib/selection.js";
import { token } from "../lib/theme.js";
import { Viewport, navigate, navigateByKeys } from "../lib/viewport.js";

const NEAR = 14; // pixels within which a point is under the pointer
const HINT = "Arrow keys move the view, + and − zoom, 0 shows all again; the item nearest to the middle is shown.";

export const id = "clusters";
export const title = "Clusters";
export const caption =
  "Each point is an item of the data, placed where the model encodes it: the model thinks that neighbours are alike. " +
  "Point at one to see it and what the model makes of it. Where many lie together their density shows; zoom in to part them.";

export function mount(root, app) {
  app.message("Looking for the data …", "busy");
  Promise.all([app.api("page/data"), app.api("page/axes")]).then(([data, axes]) => {
    if (!data.count) return app.message(`There are no points to show: ${data.why}.`, "note");
    app.message(null);
    return build(root, app, data, axes);
  });
}

async function build(root, app, data, axes) {
  const { signal } = app;
  const [ground, overlay] = [h("canvas"), h("canvas")];
  const progress = h("p", { class: "badge", hidden: true });
  const stage = h("div", { class: "plane", role: "application", tabIndex: 0, "aria-describedby": "points-hint",
    "aria-label": `${whole(data.count)} points in the latent space` }, ground, overlay, progress);
  const cloud = new PointCloud(ground);
  const view = {
    viewport: new Viewport(),
    plane: planeFrom(app, axes),
    points: { xy: new Float32Array(2 * data.count), count: 0 },
    coloring: new Coloring("", null, data.count),
    centers: [],
    nearest: null,
    selected: null, // a Set of positions
    polygon: [],
    hovered: -1,
    moved: false,
  };

  const drawOver = onFrame(() => drawOverlay(cleared(overlay), view));
  const draw = onFrame(() => {
    if (signal.aborted) return;
    const { color, shown, palette } = view.coloring;
    const seen = cloud.draw(view.viewport, { ...view.points, color, shown }, palette);
    stage.dataset.visible = seen.visible;
    stage.dataset.view = [view.viewport.x, view.viewport.y, view.viewport.unit].join(" ");
    drawOverlay(cleared(overlay), view);
  });
  const panels = sidePanels(app, view, data, { draw, turned: () => loadPoints() });
  fill(root, h("div", { class: "split" },
    h("div", { class: "stack" }, panels.tools, stage, h("p", { class: "muted small", id: "points-hint" }, HINT)),
    panels.side));

  function hover(i) {
    if (i === view.hovered) return;
    view.hovered = i;
    drawOver();
    if (i >= 0) panels.showItem(i);
  }
  const under = (left, top) => nearestTo(view, ...view.viewport.toPlane(left, top), NEAR / view.viewport.unit);
  const middle = () => {
    const { viewport } = view;
    hover(nearestTo(view, viewport.x, viewport.y, viewport.width / viewport.unit));
    if (view.hovered >= 0) app.announce(`Item ${whole(view.hovered)}, ${view.coloring.text(view.hovered)}`);
  };

  keepSharp(ground, (width, height) => {
    view.viewport.resize(width, height);
    if (!view.moved && view.viewport.home) view.viewport.fit(view.viewport.home);
    draw();
  }, signal);
  keepSharp(overlay, drawOver, signal);
  app.onTheme(draw);
  const changed = () => {
    view.moved = true;
    draw();
  };
  navigate(stage, view.viewport, {
    change: changed,
    point: (left, top) => hover(under(left, top)),
    click: (left, top) => hover(under(left, top)),
    claims: () => panels.lassoing(),
    drag: (left, top, phase) => panels.lasso(view.viewport.toPlane(left, top), phase),
  }, signal);
  navigateByKeys(stage, view.viewport, {
    change: changed,
    step: (dx, dy) => {
      view.viewport.x += dx;
      view.viewport.y += dy;
      changed();
      middle();
    },
  }, signal);

  const loadPoints = newest(async (own) => {
    signal.addEventListener("abort", () => own.dispatchEvent(new Event("abort")));
    view.moved = false;
    view.points.count = 0;
    stage.dataset.complete = false;
    const [first, second] = view.plane.keys;
    const response = await app.api("page/points", { query: { first, second }, as: "response", signal: own });
    await readPoints(response, view, (done) => {
      if (signal.aborted || own.aborted) return;
      if (!view.moved) view.viewport.fit(bulkOf(view.points.xy, view.points.count));
      view.nearest = null;
      view.centers = view.coloring.centers(view.points.xy, view.points.count);
      progress.hidden = done;
      progress.textContent = `Encoding the data: ${whole(view.points.count)} of ${whole(data.count)}`;
      draw();
    });
    stage.dataset.complete = true;
    app.announce(`${counted(view.points.count, "point")} shown`);
  });
  await Promise.all([loadPoints(), panels.color(app.state.get("by") ?? data.by[0])]);
}

/** The plane that the address names, else the two directions along which the data vary most, or the only two axes. */
function planeFrom(app, axes) {
  const [first, second] = (app.state.get("axes") ?? "").split(",");
  const principal = first ? first.startsWith("p") : axes.center.length > 2;
  const number = (text) => (text ? Number(text.replace("p", "")) : undefined);
  return new Plane(axes, { principal, first: number(first), second: number(second) });
}

/** Read points as they come; `progress` is called after each part, at last with true. */
async function readPoints(response, view, progress) {
  const bytes = new Uint8Array(view.points.xy.buffer);
  let at = 0;
  for await (const part of parts(response)) {
    bytes.set(part, at);
    at += part.length;
    view.points.count = Math.floor(at / 8);
    progress(false);
  }
  progress(true);
}

async function* parts(response) {
  const reader = response.body.getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) yield value;
}

function nearestTo(view, x, y, distance) {
  if (!view.points.count) return -1;
  view.nearest ??= new Nearest(view.points.xy, view.points.count);
  return view.nearest.find(x, y, distance, view.coloring.shown);
}

/** Axes, names of classes, the lasso, and a ring around the point under the pointer. */
function drawOverlay(context, { viewport, plane, points, centers, polygon, hovered }) {
  drawAxes(context, viewport, [plane.name(plane.first), plane.name(plane.second)]);
  context.font = `600 12px ${token("--font")}`;
  context.textAlign = "center";
  context.lineJoin = "round";
  for (const [name, left, top] of apart(centers.map(([text, x, y]) => [text, ...viewport.toScreen(x, y)]))) {
    context.lineWidth = 4;
    context.strokeStyle = token("--paper");
    context.strokeText(name, left, top);
    context.fillStyle = token("--ink");
    context.fillText(name, left, top);
  }
  context.strokeStyle = token("--accent");
  context.lineWidth = 2;
  if (polygon.length) {
    context.beginPath();
    polygon.forEach(([x, y]) => context.lineTo(...viewport.toScreen(x, y)));
    context.stroke();
  }
  if (hovered >= 0) {
    context.beginPath();
    context.arc(...viewport.toScreen(points.xy[2 * hovered], points.xy[2 * hovered + 1]), 8, 0, 2 * Math.PI);
    context.stroke();
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

/** Everything beside the points: the item under the pointer, the legend, the selection. */
function sidePanels(app, view, data, { draw, turned }) {
  const { run } = app;
  const views = [itemView(run, "The item"), itemView(run, "Its reconstruction")];
  const name = h("p", { class: "place" }, "Point at an item.");
  const pair = h("div", { class: "pair" }, views.map(({ element }, i) =>
    h("figure", {}, element, h("figcaption", { class: "muted small" }, ["Item", "Reconstruction"][i]))));
  pair.hidden = true;
  let keys = legend(view.coloring, () => {});
  const legendBox = h("div");
  const status = h("span", { class: "small", role: "status" });

  const showItem = newest(async (signal, index) => {
    const answer = await app.api("page/items", { query: { index, reconstructed: true }, signal, as: run.item ? "pictures" : "json" });
    if (signal.aborted) return;
    views.forEach(({ show }, i) => show(answer, i));
    pair.hidden = false;
    pair.dataset.index = index;
    name.textContent = [`No. ${whole(index)}`, view.coloring.text(index)].filter(Boolean).join(" · ");
  });

  function choose(indices) {
    view.selected = indices?.length ? new Set(indices) : null;
    view.coloring.select(view.selected);
    keys.update(view.selected);
    status.textContent = view.selected ? `${counted(view.selected.size, "item")} selected` : "";
    [save, clear].forEach((element) => (element.disabled = !view.selected));
    draw();
  }

  const color = newest(async (signal, by) => {
    const answer = by ? await app.api("page/colors", { query: { by }, signal }) : null;
    if (signal.aborted) return;
    view.coloring = new Coloring(by ?? "", answer, data.count);
    const filtered = () => {
      view.centers = view.coloring.centers(view.points.xy, view.points.count);
      draw();
    };
    keys = legend(view.coloring, filtered);
    fill(legendBox, keys.element);
    choose(view.selected ? [...view.selected] : null);
    filtered();
  });

  const lassoButton = button("Lasso", () => {
    const on = lassoButton.getAttribute("aria-pressed") !== "true";
    lassoButton.setAttribute("aria-pressed", String(on));
  }, { class: "toggle", "aria-pressed": "false", title: "Draw around points to select them" });
  const inView = button("Select all in view", () => {
    const { left, right, bottom, top } = view.viewport.bounds;
    choose(inside([[left, bottom], [right, bottom], [right, top], [left, top]], { ...view.points, shown: view.coloring.shown }));
  });
  const save = button("Save as CSV", () => saveSelection(run.name, view), { disabled: true });
  const clear = button("Clear", () => choose(null), { disabled: true });
  const by = data.by.length
    ? field("Colour by", select(data.by.map((each) => [each, each]), app.state.get("by") ?? data.by[0], (value) => {
      app.state.set({ by: value });
      color(value);
    }))
    : h("p", { class: "muted small" }, "These data have no labels, so all points are alike.");

  const side = h("div", { class: "stack" },
    h("section", { class: "panel" }, h("h2", {}, "Under the pointer"), pair, name),
    h("section", { class: "panel stack" }, h("p", { class: "muted small" }, `${whole(data.count)} points: ${data.description}`), by, legendBox),
    axesPanel(app, view, turned));
  return {
    tools: h("div", { class: "row" }, lassoButton, inView, save, clear, status),
    side,
    showItem,
    color,
    lassoing: () => lassoButton.getAttribute("aria-pressed") === "true",
    lasso: (point, phase) => {
      if (phase === "start") view.polygon = [];
      view.polygon.push(point);
      if (phase === "end") {
        choose(inside(view.polygon, { ...view.points, shown: view.coloring.shown }));
        view.polygon = [];
      }
      draw();
    },
  };
}

function axesPanel(app, view, turned) {
  const box = h("section", { class: "panel stack" });
  const show = () => fill(box, axesControls(view, {
    turned: () => {
      app.state.set({ axes: view.plane.keys.join(",") });
      show();
      turned();
    },
  }));
  show();
  box.hidden = !box.childElementCount;
  return box;
}
