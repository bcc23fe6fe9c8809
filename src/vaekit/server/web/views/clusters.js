/** The encoded data as points: coloured, filtered, looked at one by one, and selected. */

import { newest } from "../lib/api.js";
import { cleared, keepSharp } from "../lib/canvas.js";
import { Coloring, legend } from "../lib/coloring.js";
import { fill, h, onFrame } from "../lib/dom.js";
import { Nearest, bulkOf, inside } from "../lib/nearest.js";
import { counted, whole } from "../lib/numbers.js";
import { Plane } from "../lib/plane.js";
import { axesControls } from "../lib/planecontrols.js";
import { PointCloud } from "../lib/pointcloud.js";
import { drawOverlay, inView } from "../lib/pointoverlay.js";
import { coloringPanel, itemPanel, selectionTools } from "../lib/pointpanels.js";
import { describe, makeStage, mark } from "../lib/stage.js";
import { Thumbnails } from "../lib/thumbnails.js";
import { Viewport, navigate, navigateByKeys } from "../lib/viewport.js";

const NEAR = 14; // pixels within which a point is under the pointer
const HINT = "Arrow keys move the view, + and − zoom, 0 shows all again; the item nearest to the middle is shown.";

export const caption =
  "Each point is an item of the data, placed where the model encodes it: the model thinks that neighbours are alike. " +
  "Point at one to see it and what the model makes of it. Where many lie together their density shows; zoom in to part them.";

export function mount(root, app) {
  app.message("Looking for the data …", "busy");
  Promise.all([app.api("page/data"), app.api("page/axes")]).then(([data, axes]) => {
    if (!data.count) return app.message(`There are no points to show: ${data.why}.`, "note");
    app.message(null);
    new Clusters(app, data, axes).show(root);
  });
}

/** Points in a plane, what colours them, and which are selected. */
class Clusters {
  viewport = new Viewport();
  centers = []; // [name, x, y] of each class
  few = []; // positions of the points in view, where they are few
  polygon = []; // the lasso as it is drawn
  selected = null; // a Set of positions
  hovered = -1;
  moved = false; // whether a person has moved the view

  constructor(app, data, axes) {
    this.app = app;
    this.data = data;
    this.plane = Plane.from(axes, app.state.get("axes"), true);
    this.points = { xy: new Float32Array(2 * data.count), count: 0 };
    this.coloring = new Coloring("", null, data.count);
    this.legend = legend(this.coloring);
    this.by = data.by.includes(app.state.get("by")) ? app.state.get("by") : data.by[0];
    this.stage = makeStage(`${counted(data.count, "point")} in the latent space`, HINT);
    this.overlay = h("canvas");
    this.stage.ground.after(this.overlay);
    this.cloud = new PointCloud(this.stage.ground);
    this.thumbnails = new Thumbnails(app, () => this.drawOver());
    this.drawOver = onFrame(() => drawOverlay(cleared(this.overlay), this));
    this.draw = onFrame(() => app.signal.aborted || this.paint());
    this.load = newest((signal) => this.loadPoints(signal));
    this.color = newest((signal) => this.loadColors(signal));
    this.look = newest((signal, index) => this.loadItem(signal, index));
  }

  async show(root) {
    const { app, data, stage } = this;
    this.item = itemPanel(app.run);
    this.colors = coloringPanel(data, this.by, (by) => {
      this.by = by;
      app.state.set({ by });
      this.color();
    });
    this.tools = selectionTools(this, { all: () => this.choose(inView(this)), none: () => this.choose([]) });
    this.axes = h("section", { class: "panel stack" });
    this.showAxes();
    fill(root, h("div", { class: "split" },
      h("div", { class: "stack" }, this.tools.element, stage.element, stage.hint),
      h("div", { class: "stack" }, this.item.element, this.colors.element, this.axes)));
    keepSharp(stage.ground, (width, height) => this.resize(width, height), app.signal);
    keepSharp(this.overlay, this.drawOver, app.signal);
    app.onTheme(() => {
      this.coloring.recolor();
      this.relabel();
    });
    this.listen();
    await Promise.all([this.load(), this.color()]);
  }

  listen() {
    const { viewport, app: { signal }, stage: { element } } = this;
    const change = () => {
      this.moved = true;
      this.draw();
    };
    const point = (left, top) => this.hover(this.nearest(viewport.toPlane(left, top), NEAR / viewport.unit));
    const drag = (left, top, phase) => this.lasso(viewport.toPlane(left, top), phase);
    navigate(element, viewport, { change, point, click: point, claims: this.tools.lassoing, drag }, signal);
    const step = (dx, dy) => {
      viewport.x += dx;
      viewport.y += dy;
      change();
      this.hover(this.nearest([viewport.x, viewport.y], viewport.width / viewport.unit));
      if (this.hovered >= 0) this.app.announce(`Item ${whole(this.hovered)}, ${this.coloring.text(this.hovered)}`);
    };
    navigateByKeys(element, viewport, { change, step }, signal);
  }

  resize(width, height) {
    this.viewport.resize(width, height);
    if (!this.moved && this.viewport.home) this.viewport.fit(this.viewport.home);
    this.draw();
  }

  paint() {
    const { color, shown, palette } = this.coloring;
    const { visible } = this.cloud.draw(this.viewport, { ...this.points, color, shown }, palette);
    this.few = this.thumbnails.wanted(visible) ? inView(this) : [];
    drawOverlay(cleared(this.overlay), this);
    this.markHovered();
    describe(this.stage, this.viewport, { visible });
  }

  showAxes() {
    fill(this.axes, axesControls(this.plane, (plane) => {
      this.plane = plane;
      this.app.state.set({ axes: plane.keys.join(",") });
      this.showAxes();
      this.load();
    }));
    this.axes.hidden = !this.axes.childElementCount;
  }

  /** Read the points as they are encoded. */
  async loadPoints(signal) {
    const { app, stage, points } = this;
    [this.moved, this.hovered, points.count] = [false, -1, 0];
    stage.element.dataset.complete = false;
    const [first, second] = this.plane.keys;
    const response = await app.api("page/points", { query: { first, second }, as: "response", signal });
    const bytes = new Uint8Array(points.xy.buffer);
    let at = 0;
    for await (const part of parts(response)) {
      if (signal.aborted) return;
      bytes.set(part, at);
      at += part.length;
      this.placed(Math.floor(at / 8));
    }
    stage.element.dataset.complete = true;
    app.announce(`${counted(points.count, "point")} shown`);
  }

  /** So many points are known now. */
  placed(count) {
    const { points, data, stage: { note } } = this;
    points.count = count;
    if (!this.moved) this.viewport.fit(bulkOf(points.xy, count));
    this.grid = null;
    note.hidden = count === data.count;
    note.textContent = `Encoding the data: ${whole(count)} of ${whole(data.count)}`;
    this.filtered();
  }

  async loadColors(signal) {
    const answer = this.by ? await this.app.api("page/colors", { query: { by: this.by }, signal }) : null;
    if (signal.aborted) return;
    this.coloring = new Coloring(this.by ?? "", answer, this.data.count);
    this.relabel();
    this.filtered();
  }

  relabel() {
    this.legend = legend(this.coloring, () => this.filtered());
    this.colors.put(this.legend.element);
    this.choose([...(this.selected ?? [])]);
  }

  filtered() {
    this.centers = this.coloring.centers(this.points.xy, this.points.count);
    this.draw();
  }

  async loadItem(signal, index) {
    const answer = await this.app.api("page/items", { query: { index, reconstructed: true }, signal, as: "items" });
    if (!signal.aborted) this.item.show(index, this.coloring.text(index), answer);
  }

  /** The point that is shown nearest to a place within a distance, or -1. */
  nearest([x, y], distance) {
    const { xy, count } = this.points;
    if (!count) return -1;
    this.grid ??= new Nearest(xy, count);
    return this.grid.find(x, y, distance, this.coloring.shown);
  }

  hover(index) {
    if (index === this.hovered) return;
    this.hovered = index;
    this.markHovered();
    if (index >= 0) this.look(index);
  }

  markHovered() {
    const at = 2 * this.hovered;
    mark(this.stage, this.viewport, this.hovered < 0 ? null : this.points.xy.subarray(at, at + 2));
  }

  lasso(point, phase) {
    if (phase === "start") this.polygon = [];
    this.polygon.push(point);
    if (phase === "end") {
      this.choose(inside(this.polygon, { ...this.points, shown: this.coloring.shown }));
      this.polygon = [];
    }
    this.drawOver();
  }

  /** Select these points; none of them is no selection. */
  choose(indices) {
    this.selected = indices.length ? new Set(indices) : null;
    this.coloring.select(this.selected);
    this.legend.update(this.selected);
    this.tools.update();
    this.draw();
  }
}

async function* parts(response) {
  const reader = response.body.getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) yield value;
}
