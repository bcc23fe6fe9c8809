/** Somebody's own item: a picture that is dropped, pasted or drawn, a row of a table, or a list of numbers. */

import { newest } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { drawing } from "../lib/drawing.js";
import { itemView, pairView } from "../lib/item.js";
import { neighborList, placeOnPlane } from "../lib/place.js";
import { heatMap } from "../lib/heat.js";
import { numbersForm, rowForm } from "../lib/rowform.js";
import { surprisePanel } from "../lib/surprise.js";
import { unpack } from "../lib/gallery.js";

export const caption =
  "Give the model something it has not seen. It describes the item by its latents and makes it anew from them: what it " +
  "has learned to expect comes back, what it has not does not. The surprise says how unlike the data the item is.";

export async function mount(root, app) {
  const { run } = app;
  app.message("Reading the data …", "busy");
  const data = await app.api("page/data");
  const start = data.count ? await app.api("page/start") : null;
  app.message(null);
  if (!start && run.kind !== "image") {
    app.message(`Without data there is no row to begin with: ${data.why}.`, "note");
  }
  const result = results(app, data);
  const judge = newest(async (signal, body) => {
    app.message(null);
    root.setAttribute("aria-busy", "true");
    try {
      const answer = await app.api("page/item", { body, signal, headers: body instanceof Blob ? { "Content-Type": typeOf(body) } : {} });
      if (!signal.aborted) result.show(answer);
      return signal.aborted ? null : answer;
    } finally {
      root.setAttribute("aria-busy", "false");
    }
  });
  const form = { image: drawing, table: rowForm, vector: numbersForm }[run.kind](app, start, judge);
  fill(root, h("div", { class: "own" }, form, result.beside, result.below));
}

const WORDS = ["As the model sees it", "Made anew from its latents"];

/** What a file is; a file of an unknown kind is sent as a picture, which the server then refuses with its reason. */
const typeOf = (blob) => (blob.type.startsWith("image/") ? blob.type : "image/unknown");

/** The parts of the page that say what the model makes of an item. */
function results(app, data) {
  const { run } = app;
  const surprise = surprisePanel(app, data);
  const place = data.count ? placeOnPlane(app) : null;
  const neighbors = data.count ? neighborList(app, data) : null;
  const pair = run.kind === "table" ? null : understood(run);
  const beside = h("div", { class: "stack", hidden: true }, surprise.element, place?.element);
  const below = h("div", { class: "stack", hidden: true }, pair?.element, neighbors?.element);
  const locate = newest((signal, z) => app.api("page/place", { body: { z }, signal }));
  return {
    beside,
    below,
    async show(answer) {
      beside.hidden = below.hidden = false;
      surprise.show(answer);
      pair?.show(answer);
      const found = data.count ? await locate(answer.z) : null;
      if (!found) return;
      place?.show(found.at);
      neighbors.show(found);
    },
  };
}

/** The item as the model sees it, its reconstruction and, of images, where it is surprising. */
function understood(run) {
  const panel = (...inside) => h("section", { class: "panel" }, h("h2", {}, "What the model makes of it"), inside);
  if (run.kind === "vector") {
    const { element, show } = pairView(run, WORDS);
    return { element: panel(element), show: ({ item, reconstruction }) => show({ values: [...item.values, ...reconstruction.values] }) };
  }
  const [seen, rebuilt, heat] = [itemView(run, WORDS[0]), itemView(run, WORDS[1]), heatMap()];
  const figures = [seen, rebuilt, heat].map(({ element }, i) =>
    h("figure", {}, element, h("figcaption", { class: "muted small" }, WORDS[i] ?? "Where it is surprising")));
  return {
    element: panel(h("div", { class: "trio" }, figures)),
    show({ item, reconstruction, cells }) {
      seen.show(unpack(run, item));
      rebuilt.show(unpack(run, reconstruction));
      heat.show(cells);
    },
  };
}
