/** The tiles of a decoded plane: images side by side, curves, or a colour for a column of a table. */

import { strokeCurve } from "./curve.js";
import { field, h, select } from "./dom.js";
import { cellColor, columnLegend } from "./item.js";
import { pixels } from "./pictures.js";
import { Tiles } from "./tiles.js";

const LARGE = 32; // pixels of an image beyond which a tile has fewer

/**
 * The tiles of `view.plane`, told `view.label`, as the run's items ask for.
 * @returns {{draw, nearest, reset, controls}} `controls` are what there is to choose about them
 */
export function decodedTiles(app, view, changed) {
  const { run } = app;
  const kind = run.kind === "image" ? images(run) : run.kind === "table" ? columns(app, changed) : curves(run);
  const load = async (points) => {
    const query = { label: view.label, as: kind.form };
    const answer = await app.api("page/decode", { body: view.plane.points(points), query, as: kind.read });
    return kind.tile(answer, points.length);
  };
  const tiles = new Tiles({ cells: kind.cells, spacing: 1, aspect: kind.aspect, load, changed });
  return {
    draw: (context, viewport) => tiles.draw(context, viewport, kind.pixels),
    nearest: (x, y) => tiles.nearest(x, y),
    reset: () => tiles.reset(),
    controls: () => kind.controls?.() ?? [],
  };
}

function images(run) {
  const [height, width] = run.item;
  const cells = Math.max(height, width) <= LARGE ? 8 : 4;
  const tile = (pictures) => {
    const image = new OffscreenCanvas(cells * width, cells * height);
    const context = image.getContext("2d");
    for (let index = 0; index < pictures.count; index += 1) {
      context.putImageData(pixels(pictures, index), (index % cells) * width, Math.floor(index / cells) * height);
    }
    return { image, cell: (row, column) => ({ answer: pictures, index: row * cells + column }) };
  };
  return { cells, aspect: height / width, pixels: 44, form: "items", read: "pictures", tile };
}

function curves(run) {
  const [cells, size] = [8, 64];
  const tile = (numbers, count) => {
    const length = numbers.length / count;
    const values = (index) => numbers.subarray(index * length, (index + 1) * length);
    const image = new OffscreenCanvas(cells * size, cells * size);
    const context = image.getContext("2d");
    for (let index = 0; index < count; index += 1) {
      const box = [(index % cells) * size + 6, Math.floor(index / cells) * size + 6, size - 12, size - 12];
      strokeCurve(context, run, values(index), box);
    }
    const cell = (row, column) => ({ answer: { values: [Array.from(values(row * cells + column))] }, index: 0 });
    return { image, cell };
  };
  return { cells, aspect: 1, pixels: 56, form: "numbers", read: "float32", tile };
}

function columns(app, changed) {
  const { run, state } = app;
  const cells = 32;
  let chosen = Math.max(0, run.columns.findIndex(({ name }) => name === state.get("column")));
  const tile = (numbers, count) => {
    let painted = -1;
    const canvas = new OffscreenCanvas(cells, cells);
    return {
      get image() {
        if (painted !== chosen) paintColumn(canvas, numbers, count, run.columns, chosen);
        painted = chosen;
        return canvas;
      },
      cell: () => null,
    };
  };
  const legend = h("div", {}, columnLegend(run.columns[chosen]));
  const choice = select(run.columns.map(({ name }) => [name, name]), run.columns[chosen].name, (name) => {
    chosen = run.columns.findIndex((column) => column.name === name);
    legend.replaceChildren(columnLegend(run.columns[chosen]));
    state.set({ column: name });
    changed();
  });
  const controls = () => [field("Colour by", choice), legend];
  return { cells, aspect: 1, pixels: 8, form: "numbers", read: "float32", tile, controls };
}

function paintColumn(canvas, numbers, count, all, chosen) {
  const image = new ImageData(canvas.width, canvas.height);
  for (let index = 0; index < count; index += 1) {
    image.data.set([...cellColor(all[chosen], numbers[index * all.length + chosen]), 255], 4 * index);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
