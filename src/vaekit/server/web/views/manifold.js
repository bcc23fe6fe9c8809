/** The latent space as a plane of decoded items, and whatever the pointer is at, decoded live. */

import { cleared, drawAxes, keepSharp } from "../lib/canvas.js";
import { fill, h, later, onFrame } from "../lib/dom.js";
import { itemView } from "../lib/item.js";
import { labelChoice } from "../lib/labels.js";
import { fixed } from "../lib/numbers.js";
import { Plane } from "../lib/plane.js";
import { axesControls } from "../lib/planecontrols.js";
import { decodedTiles } from "../lib/planetiles.js";
import { describe, makeStage, mark } from "../lib/stage.js";
import { Viewport, navigate, navigateByKeys } from "../lib/viewport.js";

const PATIENCE = 60; // milliseconds until the nearest decoded item is shown instead of the exact one
const SETTLED = 120; // milliseconds without a change until the plane is decoded anew
const SPOKEN = 400; // milliseconds without a key until the point is said
const HINT = "Arrow keys move the point, with Shift further; + and − zoom; 0 shows all again.";

export const caption =
  "Each place on this plane stands for an item that the model can make, and neighbours make similar ones. " +
  "Move the pointer, or a finger, to decode the place under it; drag to pan, scroll or pinch to zoom.";

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
    new Manifold(app, axes).show(root);
  });
}

/** A plane, the point in it that is decoded, and what there is to choose. */
class Manifold {
  constructor(app, axes) {
    const { signal } = app;
    this.app = app;
    this.plane = Plane.from(axes, app.state.get("axes"), false);
    this.label = app.state.get("label");
    this.viewport = new Viewport();
    this.point = middle(this.plane.box);
    this.tiles = decodedTiles(app, this, () => this.draw());
    this.stage = makeStage("Plane of the latent space", HINT);
    this.stage.note.textContent = "Decoding the plane …";
    this.large = itemView(app.run, "The decoded item");
    this.place = h("p", { class: "place" });
    this.side = h("div", { class: "stack" });
    this.draw = onFrame(() => signal.aborted || this.paint());
    this.speak = later(SPOKEN, () => app.announce(this.words), signal);
    this.decodeAnew = later(SETTLED, () => this.forget(), signal);
  }

  show(root) {
    fill(root, h("div", { class: "split" }, h("div", { class: "stack" }, this.stage.element, this.stage.hint), this.side));
    keepSharp(this.stage.ground, (width, height) => this.resize(width, height), this.app.signal);
    this.app.onTheme(() => this.forget());
    this.listen();
    this.showControls();
    this.pointTo(this.point);
  }

  listen() {
    const { viewport, app: { signal }, stage: { element } } = this;
    navigate(element, viewport, {
      change: this.draw,
      point: (left, top) => this.pointTo(viewport.toPlane(left, top)),
      fingerPoints: true,
    }, signal);
    const step = (dx, dy) => {
      this.pointTo([this.point[0] + dx, this.point[1] + dy]);
      keepInside(viewport, this.point);
      this.draw();
      this.speak();
    };
    navigateByKeys(element, viewport, { change: this.draw, step }, signal);
  }

  resize(width, height) {
    const first = !this.viewport.home;
    this.viewport.resize(width, height);
    if (first) this.viewport.fit(this.plane.box);
    this.draw();
  }

  paint() {
    const context = cleared(this.stage.ground);
    const complete = this.tiles.draw(context, this.viewport);
    drawAxes(context, this.viewport, this.plane.names);
    mark(this.stage, this.viewport, this.point);
    this.stage.note.hidden = complete;
    describe(this.stage, this.viewport, { complete });
  }

  get words() {
    return this.plane.names.map((name, i) => `${name} ${fixed(this.point[i])}`).join(", ");
  }

  pointTo(point) {
    this.point = point;
    this.place.textContent = this.words;
    mark(this.stage, this.viewport, point);
    this.decode();
  }

  /** Decode the point; what is near is shown meanwhile, if that takes long. */
  async decode() {
    const { app, point, label } = this;
    this.waiting ??= setTimeout(() => this.showNear(), PATIENCE);
    try {
      const z = Array.from(this.plane.points([point]));
      const answer = await app.live.ask({ run: app.run.name, kind: "decode", z, label });
      if (answer && !app.signal.aborted) this.showItem(answer, 0, point, true);
    } catch (error) {
      if (!app.signal.aborted) app.message(error.message, "error");
    }
  }

  showNear() {
    this.waiting = null;
    const near = this.app.signal.aborted ? null : this.tiles.nearest(...this.point);
    if (near) this.showItem(near.answer, near.index, this.point, false);
  }

  showItem(answer, index, point, exact) {
    clearTimeout(this.waiting);
    this.waiting = null;
    this.large.show(answer, index);
    Object.assign(this.stage.element.dataset, { shown: point.join(" "), exact });
  }

  /** Decode the plane anew: at once, or when sliders stand still. */
  change({ now = false } = {}) {
    this.pointTo(this.point);
    if (now) this.forget();
    else this.decodeAnew();
  }

  forget() {
    this.tiles.reset();
    this.draw();
  }

  /** Other axes: show all of the new plane. */
  turn(plane) {
    this.plane = plane;
    this.viewport.fit(plane.box);
    this.point = middle(plane.box);
    this.app.state.set({ axes: plane.keys.join(",") });
    this.showControls();
    this.change({ now: true });
  }

  showControls() {
    const chosen = [
      labelChoice(this.app.run, "Label the model is told", "unknown", this.label, (label) => this.tell(label)),
      ...this.tiles.controls(),
      ...axesControls(this.plane, (plane) => this.turn(plane), () => this.change()),
    ].filter(Boolean);
    fill(this.side,
      h("section", { class: "panel decoded" }, h("h2", {}, "Decoded here"), this.large.element, this.place),
      chosen.length > 0 && h("section", { class: "panel stack" }, chosen));
  }

  tell(label) {
    this.label = label;
    this.app.state.set({ label });
    this.change({ now: true });
  }
}

const middle = ({ left, right, bottom, top }) => [left, bottom].map((low, i) => {
  const high = [right, top][i];
  return low <= 0 && high >= 0 ? 0 : (low + high) / 2;
});

function keepInside(viewport, point) {
  const { left, right, bottom, top } = viewport.bounds;
  const margin = 24 / viewport.unit;
  viewport.x += Math.max(0, point[0] - right + margin) - Math.max(0, left + 3 * margin - point[0]);
  viewport.y += Math.max(0, point[1] - top + margin) - Math.max(0, bottom + 2 * margin - point[1]);
}
