/** What stands beside the points: the item under the pointer, the colouring, the selection. */

import { button, field, fill, h, select } from "./dom.js";
import { download } from "./files.js";
import { pairView } from "./item.js";
import { counted, whole } from "./numbers.js";

/**
 * The item under the pointer beside its reconstruction.
 * @param {object} run
 * @returns {{element: HTMLElement, show: (index: number, text: string, answer: any) => void}}
 */
export function itemPanel(run) {
  const name = h("p", { class: "place" }, "Point at an item, or tap one.");
  const pair = pairView(run);
  const shown = h("div", { hidden: true }, pair.element);
  return {
    element: h("section", { class: "panel" }, h("h2", {}, "Under the pointer"), shown, name),
    show(index, text, answer) {
      pair.show(answer);
      shown.hidden = false;
      shown.dataset.index = index;
      name.textContent = [`No. ${whole(index)}`, text].filter(Boolean).join(" · ");
    },
  };
}

/**
 * What colours the points, with a place for the legend.
 * @param {{count: number, description: string, by: string[]}} data
 * @param {string} by what colours them now
 * @param {(by: string) => void} changed
 */
export function coloringPanel(data, by, changed) {
  const box = h("div");
  const choice = data.by.length
    ? field("Colour by", select(data.by.map((each) => [each, each]), by, changed))
    : h("p", { class: "muted small" }, "These data have no labels, so all points are alike.");
  const what = h("p", { class: "muted small" }, `${counted(data.count, "point")}: ${data.description}`);
  return { element: h("section", { class: "panel stack" }, what, choice, box), put: (legend) => fill(box, legend) };
}

/**
 * The lasso, and what is done with a selection: saved, it has labels, columns and all latents.
 * @param {object} view the clusters
 * @param {{all: () => void, none: () => void}} on
 * @returns {{element: HTMLElement, lassoing: () => boolean, update: () => void}}
 */
export function selectionTools(view, on) {
  const lassoing = () => lasso.getAttribute("aria-pressed") === "true";
  const lasso = button("Lasso", () => lasso.setAttribute("aria-pressed", String(!lassoing())), {
    class: "toggle", "aria-pressed": "false", title: "Draw around points to select them",
  });
  const save = button("Save as CSV", async () => {
    const index = [...view.selected].sort((a, b) => a - b);
    download(await view.app.api("page/selection", { body: { index }, as: "blob" }), `${view.app.run.name}-selection.csv`);
  }, { disabled: true });
  const clear = button("Clear", on.none, { disabled: true });
  const status = h("span", { class: "small", role: "status" });
  const update = () => {
    status.textContent = view.selected ? `${counted(view.selected.size, "item")} selected` : "";
    [save, clear].forEach((element) => (element.disabled = !view.selected));
  };
  const all = button("Select all in view", on.all);
  return { element: h("div", { class: "row" }, lasso, all, save, clear, status), lassoing, update };
}
