/** How surprising an item is, beside what is usual. */

import { fill, h } from "./dom.js";
import { cleared, keepSharp } from "./canvas.js";
import { fixed, whole } from "./numbers.js";
import { token } from "./theme.js";

const BINS = 40;

/**
 * A panel with an item's surprise, its rank among the data, and their distribution.
 * @param {any} app
 * @param {{count: number, why?: string}} data
 */
export function surprisePanel(app, data) {
  const number = h("p", { class: "figure" });
  const sentence = h("p", { role: "status" });
  const canvas = h("canvas", { class: "plot histogram", role: "img", hidden: true });
  const parts = h("p", { class: "muted small" });
  let usual = null;
  let answer = null;

  const draw = () => {
    if (!answer) return;
    fill(number, h("span", { class: "value" }, fixed(answer.surprise + answer.complexity, 1)), h("span", { class: "muted" }, "nats"));
    sentence.textContent = usual ? ranked(answer.surprise, usual) : data.count ? "Comparing with the data …" : "";
    parts.textContent = madeOf(answer);
    canvas.hidden = !usual;
    if (usual) histogram(canvas, usual, answer.surprise);
  };
  keepSharp(canvas, draw, app.signal);
  app.onTheme(draw);
  if (data.count) {
    app.api("page/surprises").then(({ scores }) => {
      usual = scores;
      draw();
    });
  }
  return {
    element: h("section", { class: "panel stack" }, h("h2", {}, "Surprise"), number, sentence, canvas, parts),
    show(given) {
      answer = given;
      draw();
    },
  };
}

function ranked(score, usual) {
  const below = usual.filter((other) => other < score).length / usual.length;
  if (below >= 0.99) return `An anomaly: at most ${whole(Math.ceil(100 * (1 - below)) || 1)} % of the data are as surprising.`;
  const percent = Math.floor(100 * below);
  return percent ? `More surprising than ${whole(percent)} % of the data.` : "Less surprising than 99 % of the data.";
}

function madeOf({ latent, complexity }) {
  const told = `−log p of the item, of which ${fixed(latent, 1)} nats are the cost of its latents.`;
  return complexity ? `${told} For the comparison the ${fixed(complexity, 0)} nats that any picture as intricate costs are taken off.` : told;
}

/** The distribution of what is usual, and a line where the item is. */
function histogram(canvas, usual, score) {
  const context = cleared(canvas);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const [low, high] = [Math.min(usual[0], score), Math.max(usual.at(-1), score)];
  const span = high - low || 1;
  const counts = new Array(BINS).fill(0);
  usual.forEach((value) => (counts[Math.min(BINS - 1, Math.floor((BINS * (value - low)) / span))] += 1));
  const ground = height - 20;
  const most = Math.max(...counts);
  context.fillStyle = token("--edge");
  counts.forEach((count, i) => {
    const tall = (count / most) * (ground - 8);
    context.fillRect((i * width) / BINS + 0.5, ground - tall, width / BINS - 1, tall);
  });
  const left = Math.max(1, Math.min(width - 1, (width * (score - low)) / span));
  context.fillStyle = token("--accent");
  context.fillRect(left - 1, 0, 2, ground);
  context.font = `11px ${token("--font")}`;
  context.textBaseline = "bottom";
  context.textAlign = left < 32 ? "left" : left > width - 32 ? "right" : "center";
  context.fillText("this item", left, height);
  context.fillStyle = token("--muted");
  context.textAlign = left > width / 2 ? "left" : "right";
  context.fillText("the data", left > width / 2 ? 0 : width, height);
  canvas.setAttribute("aria-label", `Surprises of the data from ${fixed(usual[0], 1)} to ${fixed(usual.at(-1), 1)} nats, ` +
    `half of them below ${fixed(usual[usual.length >> 1], 1)}; this item ${fixed(score, 1)}`);
}
