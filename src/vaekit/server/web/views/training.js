/** How the training went, or goes: losses over the epochs. */

import { fill, h } from "../lib/dom.js";
import { LineChart } from "../lib/linechart.js";
import { counted, fixed, significant, whole } from "../lib/numbers.js";
import { colorOf, runChoice, shown } from "../lib/several.js";

const PAUSE = 2000; // milliseconds between two looks at a run that trains
const MOST_ROWS = 100; // of the table, the newest

export const caption =
  "How the model learned: in each epoch it sees all training examples once. What it minimizes, the loss, is the cost of " +
  "an item given its latent description plus the cost of that description, in nats. Lower is better; where the dashed " +
  "line of examples it has not seen rises while the loss falls, it only memorizes.";

const CHARTS = [
  ["loss", "Loss", "What training minimizes, for an example; dashed: minus the bound on held-out examples."],
  ["reconstruction", "Reconstruction", "The cost of an item when its latent description is known."],
  ["kl", "KL divergence", "The cost of the latent description: how much it says about the item."],
  ["lr", "Learning rate", "How large the steps are."],
];

export function mount(root, app) {
  const charts = CHARTS.map(([, name, about]) => new LineChart(name, about, app.signal));
  const status = h("p", { class: "status", "aria-live": "off" });
  const numbers = h("tbody");
  const known = new Map(); // run's name -> what /page/history has said so far
  let timer = 0;

  const draw = () => {
    const names = shown(app);
    CHARTS.forEach(([key], i) => charts[i].update(names.flatMap((name) => series(app, names, name, key, known.get(name)))));
    status.textContent = progress(known.get(app.run.name));
    fill(numbers, table(known.get(app.run.name)));
  };

  async function look() {
    clearTimeout(timer);
    try {
      await Promise.all(shown(app).map((name) => extend(app, known, name)));
    } catch (error) {
      if (error.status) return;
    }
    if (app.signal.aborted) return;
    draw();
    if (shown(app).some((name) => known.get(name)?.training ?? true)) timer = setTimeout(look, PAUSE);
  }

  fill(root, h("div", { class: "stack" }, h("div", { class: "row" }, status, runChoice(app, look)),
    h("div", { class: "charts" }, charts.map(({ element }) => element)),
    h("details", {}, h("summary", {}, "Numbers"), h("div", { class: "scroll", tabIndex: 0, role: "region",
      "aria-label": "Numbers of the epochs" },
      h("table", {}, h("thead", {}, h("tr", {}, HEADS.map(([name]) => h("th", { scope: "col", class: "number" }, name)))),
        numbers)))));
  app.onTheme(draw);
  look();
  return () => clearTimeout(timer);
}

/** Ask for what is new of a run; a training that began anew is read from its start. */
async function extend(app, known, name) {
  const before = known.get(name)?.rows ?? [];
  const found = await app.api("page/history", { query: { run: name, after: before.length } });
  const again = found.count < before.length ? await app.api("page/history", { query: { run: name } }) : null;
  known.set(name, { ...(again ?? found), rows: again ? again.rows : [...before, ...found.rows] });
}

function series(app, names, name, key, found) {
  const rows = found?.rows ?? [];
  const line = (field) => rows.filter((row) => Number.isFinite(row[field])).map((row) => [row.epoch, row[field]]);
  const [color, prefix] = [colorOf(app, name), names.length > 1 ? `${name}: ` : ""];
  const own = { name: prefix + (key === "lr" ? "learning rate" : key), color, points: line(key) };
  const heldOut = { name: `${prefix}held-out`, color, dashed: true, points: line("val_loss") };
  return key === "loss" ? [own, heldOut] : [own];
}

function progress(found) {
  if (!found) return "Reading the history …";
  const { rows, epochs, training } = found;
  if (!rows.length) return training ? "The first epoch is under way." : "This run has no history.";
  const { seconds, examples_per_second: speed } = rows.at(-1);
  const pace = speed ? `, ${significant(speed, 2)} examples a second` : "";
  if (!training) {
    return rows.length < epochs ? `Stopped after ${rows.length} of ${epochs} epochs.` : `Trained for ${counted(epochs, "epoch")}.`;
  }
  return `Training: epoch ${rows.length + 1} of ${epochs}${pace}, about ${duration((epochs - rows.length) * seconds)} left.`;
}

const duration = (seconds) =>
  seconds < 100 ? counted(Math.ceil(seconds), "second") : counted(Math.round(seconds / 60), "minute");

const HEADS = [
  ["epoch", (row) => whole(row.epoch)],
  ["loss", (row) => fixed(row.loss, 3)],
  ["reconstruction", (row) => fixed(row.reconstruction, 3)],
  ["KL", (row) => fixed(row.kl, 3)],
  ["held-out", (row) => fixed(row.val_loss, 3)],
  ["learning rate", (row) => significant(row.lr, 2)],
  ["seconds", (row) => fixed(row.seconds, 1)],
];

const table = (found) => (found?.rows ?? []).slice(-MOST_ROWS).reverse()
  .map((row) => h("tr", {}, HEADS.map(([, words]) => h("td", { class: "number" }, words(row)))));
