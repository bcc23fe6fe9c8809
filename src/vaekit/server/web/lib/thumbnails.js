/** Small pictures of the items in view, where few are. */

import { newest } from "./api.js";
import { css } from "./color.js";
import { pixels } from "./pictures.js";

const MOST = 60; // items in view for which there are pictures
const SIZE = 36; // pixels
const KEPT = 500;

/** Pictures of items, read when first in view. */
export class Thumbnails {
  #known = new Map(); // index -> canvas

  /**
   * @param {object} app
   * @param {() => void} changed there are more to draw
   */
  constructor(app, changed) {
    this.read = newest(async (signal, indices) => {
      const pictures = await app.api("page/items", { query: { index: indices.join(",") }, as: "pictures", signal });
      if (this.#known.size > KEPT) this.#known.clear();
      indices.forEach((index, i) => this.#known.set(index, picture(pictures, i)));
      changed();
    });
    this.suits = app.run.kind === "image";
  }

  /** Whether so few points are in view that their pictures are drawn. */
  wanted(visible) {
    return this.suits && visible > 0 && visible <= MOST;
  }

  /** Draw the pictures of points above where they lie, framed in their colour; ask for those that are not known. */
  draw(context, viewport, indices, { xy }, coloring) {
    const missing = indices.filter((index) => !this.#known.has(index));
    if (missing.length) this.read(missing);
    context.imageSmoothingEnabled = false;
    context.lineWidth = 2;
    for (const index of indices.filter((one) => this.#known.has(one))) {
      const image = this.#known.get(index);
      const [left, top] = viewport.toScreen(xy[2 * index], xy[2 * index + 1]);
      const [width, height] = [SIZE * Math.min(1, image.width / image.height), SIZE * Math.min(1, image.height / image.width)];
      context.strokeStyle = css(coloring.palette[coloring.color[index]].color);
      context.strokeRect(left - width / 2 - 1, top - height - 11, width + 2, height + 2);
      context.drawImage(image, left - width / 2, top - height - 10, width, height);
    }
  }
}

function picture(pictures, index) {
  const canvas = new OffscreenCanvas(pictures.width, pictures.height);
  canvas.getContext("2d").putImageData(pixels(pictures, index), 0, 0);
  return canvas;
}
