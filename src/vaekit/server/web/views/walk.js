/** The way from one item to another through the latent space. */

import { newest } from "../lib/api.js";
import { button, calm, field, fill, h, select } from "../lib/dom.js";
import { itemView } from "../lib/item.js";
import { labelChoice } from "../lib/labels.js";
import { whole } from "../lib/numbers.js";
import { strip } from "../lib/strip.js";

const STEPS = 61;
const SHOWN = 11; // of the steps, in the strip
const SECONDS = 4; // from one end to the other
const PATHS = [["linear", "straight"], ["spherical", "along a sphere"]];

export const caption =
  "From one item to another in small steps: each is decoded from a point on the way between their latent descriptions. " +
  "Where the model has understood the data, all of them look like items in their own right.";

/** Why there is no way between items, or null. */
export function suits(run) {
  return run.discrete
    ? "This model describes an item by codes from a book, and between codes there is nothing to walk through."
    : null;
}

export async function mount(root, app) {
  app.message("Reading the data …", "busy");
  const data = await app.api("page/data");
  app.message(null);
  if (data.count < 2) return void app.message(`A walk needs two items of the data: ${data.why ?? "there is one"}.`, "note");
  build(root, app, data);
}

function build(root, app, data) {
  const { run, state, signal } = app;
  const random = () => Math.floor(Math.random() * data.count);
  const chosen = { start: kept(state, "start", data) ?? random(), end: kept(state, "end", data) ?? random(),
    path: state.get("path") ?? "linear", label: state.get("label"), steps: STEPS };
  const way = wayPanels(run, { go: (step) => player.go(step), toggle: () => player.toggle() });
  const player = new Player(way.show, way.playing, signal);
  const ask = newest((stop) => app.api("page/walk", { query: chosen, as: "items", signal: stop }));

  async function walk(changes = {}) {
    Object.assign(chosen, changes);
    state.set({ start: chosen.start, end: chosen.end, path: chosen.path, label: chosen.label });
    const found = await ask();
    if (!found) return;
    way.put(found);
    player.go(player.step);
  }

  const ends = ["start", "end"].map((name, i) => end(app, data, ["From", "To"][i], chosen[name], random, (index) => walk({ [name]: index })));
  fill(root, h("div", { class: "split" },
    h("div", { class: "stack" }, h("div", { class: "ends" }, ends), way.steps),
    h("div", { class: "stack" }, way.here,
      h("section", { class: "panel stack" },
        field("Way", select(PATHS, chosen.path, (path) => walk({ path }))),
        h("p", { class: "muted small" }, "Straight, latents in the middle are nearer to 0 than most items are; along a " +
          "sphere they keep their distance from it. In many dimensions that matters."),
        labelChoice(run, "Label the model is told", "unknown", chosen.label, (label) => walk({ label }))))));
  walk().then(() => calm() || signal.aborted || player.toggle());
}

/** The position among the examples that the address keeps, or null. */
function kept(state, name, { count }) {
  const index = state.get(name) === null ? -1 : Number(state.get(name));
  return Number.isInteger(index) && index >= 0 && index < count ? index : null;
}

/**
 * The steps of the way, and the one it is at.
 * @param {any} run
 * @param {{go: (step: number) => void, toggle: () => void}} on
 */
function wayPanels(run, on) {
  const large = itemView(run, "The item on the way");
  const slider = h("input", { type: "range", min: "0", max: String(STEPS - 1), value: "0", "aria-label": "Place on the way",
    oninput: () => on.go(Number(slider.value)) });
  const place = h("output", {}, "0 %");
  const frames = h("div", { class: "strip-place" }, h("p", { class: "muted" }, "Decoding …"));
  const play = button("Play", on.toggle, { class: "primary" });
  let answer = null;
  return {
    steps: h("section", { class: "panel stack" }, h("h2", {}, "The way"), frames,
      h("div", { class: "row" }, play, h("div", { class: "grow" }, slider), place)),
    here: h("section", { class: "panel" }, h("h2", {}, "Decoded here"), large.element),
    put(found) {
      answer = found;
      fill(frames, strip(run, answer, Array.from({ length: SHOWN }, (_, i) => (i * (STEPS - 1)) / (SHOWN - 1)), on.go));
    },
    show(step) {
      if (!answer) return;
      large.show(answer, step);
      slider.value = String(step);
      place.textContent = `${whole((100 * step) / (STEPS - 1))} %`;
    },
    playing: (playing) => (play.textContent = playing ? "Pause" : "Play"),
  };
}

/** One end of the walk: the item, its number, and other ones. */
function end(app, data, word, index, random, onchange) {
  const view = itemView(app.run, `${word}: the item`);
  const show = newest((signal) => app.api("page/items",
    { query: { index: number.value }, as: "items", signal }));
  const change = async (value) => {
    number.value = String(value);
    onchange(value);
    const found = await show();
    if (found) view.show(found);
  };
  const number = h("input", { type: "number", min: "0", max: String(data.count - 1), value: String(index),
    onchange: () => change(Math.max(0, Math.min(data.count - 1, Math.round(Number(number.value) || 0)))) });
  show().then((found) => found && view.show(found));
  return h("section", { class: "panel" }, h("h2", {}, word), h("div", { class: `end ${app.run.kind}` }, view.element,
    h("div", { class: "stack" }, field(`Item, 0 to ${whole(data.count - 1)}`, number), button("Another", () => change(random())))));
}

/** Goes through the steps and back, at an even pace. */
class Player {
  step = 0;
  #direction = 1;
  #last = 0;
  #exact = 0;
  #frame = 0;

  /**
   * @param {(step: number) => void} show
   * @param {(playing: boolean) => void} onchange
   * @param {AbortSignal} signal
   */
  constructor(show, onchange, signal) {
    this.show = show;
    this.onchange = onchange;
    signal.addEventListener("abort", () => cancelAnimationFrame(this.#frame));
  }

  /** Show a step and stop there. */
  go(step) {
    if (this.#frame) this.toggle();
    this.#exact = this.step = Math.round(step);
    this.show(this.step);
  }

  /** Play, or pause. */
  toggle() {
    if (this.#frame) {
      cancelAnimationFrame(this.#frame);
      this.#frame = 0;
    } else {
      this.#last = performance.now();
      this.#frame = requestAnimationFrame((now) => this.#tick(now));
    }
    this.onchange(this.#frame !== 0);
  }

  #tick(now) {
    const most = STEPS - 1;
    this.#exact += (this.#direction * most * Math.min(now - this.#last, 100)) / (1000 * SECONDS);
    this.#last = now;
    if (this.#exact >= most) [this.#exact, this.#direction] = [most, -1];
    if (this.#exact <= 0) [this.#exact, this.#direction] = [0, 1];
    const step = Math.round(this.#exact);
    if (step !== this.step) this.show((this.step = step));
    this.#frame = requestAnimationFrame((next) => this.#tick(next));
  }
}
