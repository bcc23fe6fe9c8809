/** Nats of each pixel as a picture. */

import { scaleColor } from "./color.js";
import { h } from "./dom.js";
import { extent, fixed } from "./numbers.js";

/** A picture of numbers: dark where they are low, bright where they are high. */
export function heatMap() {
  const element = h("canvas", { class: "picture", role: "img" });
  return {
    element,
    /** @param {number[][]} cells rows of numbers */
    show(cells) {
      const [height, width] = [cells.length, cells[0].length];
      const values = cells.flat();
      const [low, high] = extent(values);
      element.width = width;
      element.height = height;
      const image = new ImageData(width, height);
      values.forEach((value, i) => image.data.set([...scaleColor((value - low) / (high - low || 1)), 255], 4 * i));
      element.getContext("2d").putImageData(image, 0, 0);
      element.setAttribute("aria-label", `Nats of each pixel, from ${fixed(low, 2)} (dark) to ${fixed(high, 2)} (bright)`);
    },
  };
}
