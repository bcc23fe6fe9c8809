/** New items, drawn from the prior. */

import { newest } from "../lib/api.js";
import { button, field, fill, h, select } from "../lib/dom.js";
import { gallery, saveAs } from "../lib/gallery.js";
import { labelChoice } from "../lib/labels.js";
import { fixed } from "../lib/numbers.js";

const COUNTS = [16, 40, 60, 120, 240];
const SEEDS = 2 ** 31;

export const caption =
  "Items that nobody has recorded: the model draws a latent description at random and decodes it. Below a temperature " +
  "of 1 the descriptions stay nearer to the middle, so that items get more typical and more alike; above it they get " +
  "more varied, and more often wrong.";

export function mount(root, app) {
  const { run, state } = app;
  const chosen = {
    n: Number(state.get("n")) || (run.kind === "image" ? 60 : 16),
    temperature: Number(state.get("temperature")) || 1,
    seed: Number(state.get("seed")) || 0,
    label: state.get("label"),
    draw: (state.get("draw") ?? String(run.kind === "table")) === "true", // means of cells are no rows that there could be
  };
  const stage = h("div", { class: "gallery-place", "aria-busy": "true" }, h("p", { class: "muted" }, "Drawing …"));
  let shown = null; // what is shown, for saving

  const ask = newest((signal) => app.api("page/samples", { query: chosen, as: "items", signal }));

  async function refresh(changes = {}) {
    Object.assign(chosen, changes);
    state.set(changes);
    stage.setAttribute("aria-busy", "true");
    const answer = await ask();
    if (!answer) return;
    shown = gallery(run, answer, chosen.n, "Sample");
    fill(stage, shown.element);
    stage.setAttribute("aria-busy", "false");
    save.disabled = false;
  }

  const save = button(run.kind === "image" ? "Save as PNG" : "Save as CSV", () => saveAs(run, shown, `${run.name}-samples`),
    { disabled: true });
  fill(root, h("div", { class: "stack" },
    h("div", { class: "row controls" },
      button("Draw new ones", () => refresh({ seed: Math.floor(Math.random() * SEEDS) }), { class: "primary" }),
      field("How many", select(COUNTS.map((n) => [String(n), String(n)]), String(chosen.n), (n) => refresh({ n: Number(n) }))),
      temperature(run, chosen, refresh),
      labelChoice(run, "Label", "any", chosen.label, (label) => refresh({ label })), noise(run, chosen, refresh), save),
    stage));
  refresh();
}

function temperature(run, chosen, refresh) {
  if (run.discrete) return null;
  const value = h("output", {}, fixed(chosen.temperature, 2));
  const slider = h("input", { type: "range", min: "0.1", max: "2", step: "0.05", value: String(chosen.temperature),
    oninput: () => {
      value.textContent = fixed(Number(slider.value), 2);
      refresh({ temperature: Number(slider.value) });
    } });
  return field("Temperature", slider, value);
}

/** Whether the values are drawn as well, given the latents: what real data look like, grain included. */
function noise(run, chosen, refresh) {
  const box = h("input", { type: "checkbox", checked: chosen.draw, onchange: () => refresh({ draw: box.checked }) });
  return h("label", { class: "choice" }, box, run.kind === "image" ? "Draw each pixel, not its mean" : "Draw each value, not its mean");
}
