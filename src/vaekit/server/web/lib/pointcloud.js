/**
 * Many points as pixels: where they lie apart each has its mark, where they lie together their density shows.
 *
 * Each point adds its colour to the pixels that its mark covers; a pixel takes the mean colour of its points, the
 * more opaque the more there are. So nothing depends on the order in which points are drawn, and zooming out turns
 * marks into density without a step.
 */

const [SMALLEST, LARGEST] = [1, 6.5]; // radius of a mark in CSS pixels
const SHARE = 0.24; // of the distance between neighbours, if points lay evenly, that a mark's radius takes
const SHAPED = 3.5; // radius in CSS pixels from which marks have shapes

/** The shapes of `MARKS` (lib/color.js), as what is inside: u to the right, v downwards, both from -1 to 1. */
const SHAPES = [
  (u, v) => u * u + v * v <= 1, // circle
  (u, v) => Math.max(Math.abs(u), Math.abs(v)) <= 0.78, // square
  (u, v) => v <= 0.75 && Math.abs(u) <= 0.55 * (v + 1), // triangle
  (u, v) => Math.abs(u) + Math.abs(v) <= 1, // diamond
  (u, v) => Math.min(Math.abs(u), Math.abs(v)) <= 0.3, // cross
  (u, v) => u * u + v * v <= 1 && u * u + v * v >= 0.3, // ring
  (u, v) => Math.min(Math.abs(u + v), Math.abs(u - v)) <= 0.42, // star
  (u, v) => Math.abs(v) <= 0.4, // bar
  (u, v) => Math.max(Math.abs(u), Math.abs(v)) <= 0.9 && Math.max(Math.abs(u), Math.abs(v)) >= 0.5, // frame
  (u, v) => v >= -0.75 && Math.abs(u) <= 0.55 * (1 - v), // wedge
];

/**
 * @typedef {object} Points
 * @property {Float32Array} xy coordinates, two for each point
 * @property {number} count how many there are of them
 * @property {Uint8Array} color a position in the palette for each
 * @property {Uint8Array} shown 1 where a point is to be drawn, 0 where not
 */

/**
 * @typedef {object} Ink what a position of the palette is drawn with
 * @property {[number, number, number]} color
 * @property {number} weight beside others in a pixel, 1 as a rule
 * @property {number} shape a position in `MARKS`
 */

/** Draws points onto a canvas of its own size. */
export class PointCloud {
  #sums = new Float32Array(0); // red, green, blue and weight of each pixel
  #image = null;
  #marks = new Map();

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
  }

  /**
   * Draw, and say how many points are in view and how large their marks are, in CSS pixels.
   * @param {import("./viewport.js").Viewport} viewport
   * @param {Points} points
   * @param {Ink[]} palette
   */
  draw(viewport, points, palette) {
    const { width, height } = this.canvas;
    if (this.#image?.width !== width || this.#image?.height !== height) {
      this.#sums = new Float32Array(4 * width * height);
      this.#image = new ImageData(width, height);
    } else {
      this.#sums.fill(0);
      this.#image.data.fill(0);
    }
    const ratio = width / viewport.width;
    const visible = countVisible(viewport, points);
    const spacing = Math.sqrt((viewport.width * viewport.height) / Math.max(1, visible));
    const radius = Math.max(SMALLEST, Math.min(LARGEST, SHARE * spacing));
    this.#add(viewport, ratio, points, palette, palette.map(({ shape }) => this.#mark(shape, radius, ratio)));
    this.#show();
    return { visible, radius };
  }

  /** The pixels that a mark covers, as [dx, dy, dx, dy, ...]. */
  #mark(k, radius, ratio) {
    const reach = Math.max(0.5, Math.round(2 * radius * ratio) / 2);
    const shape = radius >= SHAPED ? k : 0;
    const key = `${shape}/${reach}`;
    if (!this.#marks.has(key)) this.#marks.set(key, covered(SHAPES[shape], reach));
    return this.#marks.get(key);
  }

  #add(viewport, ratio, { xy, count, color, shown }, palette, marks) {
    const { width, height } = this.canvas;
    const sums = this.#sums;
    const unit = viewport.unit * ratio;
    const left = width / 2 - viewport.x * unit;
    const top = height / 2 + viewport.y * unit;
    const inks = Float32Array.from(palette.flatMap(({ color: ink, weight }) => [...ink.map((c) => c * weight), weight]));
    for (let i = 0; i < count; i += 1) {
      if (!shown[i]) continue;
      const x = Math.round(left + xy[2 * i] * unit);
      const y = Math.round(top - xy[2 * i + 1] * unit);
      if (x < -16 || y < -16 || x > width + 16 || y > height + 16) continue;
      const ink = 4 * color[i];
      const mark = marks[color[i]];
      for (let m = 0; m < mark.length; m += 2) {
        const column = x + mark[m];
        const row = y + mark[m + 1];
        if (column < 0 || row < 0 || column >= width || row >= height) continue;
        const at = 4 * (row * width + column);
        sums[at] += inks[ink];
        sums[at + 1] += inks[ink + 1];
        sums[at + 2] += inks[ink + 2];
        sums[at + 3] += inks[ink + 3];
      }
    }
  }

  #show() {
    const { data } = this.#image;
    const sums = this.#sums;
    const opacity = opacities(sums);
    for (let at = 0; at < sums.length; at += 4) {
      const weight = sums[at + 3];
      if (weight === 0) continue;
      data[at] = sums[at] / weight;
      data[at + 1] = sums[at + 1] / weight;
      data[at + 2] = sums[at + 2] / weight;
      data[at + 3] = opacity[Math.min(Math.round(8 * weight), opacity.length - 1)];
    }
    this.canvas.getContext("2d").putImageData(this.#image, 0, 0);
  }
}

function countVisible(viewport, { xy, count, shown }) {
  const { left, right, bottom, top } = viewport.bounds;
  let visible = 0;
  for (let i = 0; i < count; i += 1) {
    const x = xy[2 * i];
    const y = xy[2 * i + 1];
    if (shown[i] && x > left && x < right && y > bottom && y < top) visible += 1;
  }
  return visible;
}

function covered(shape, reach) {
  if (reach <= 0.5) return Int16Array.of(0, 0);
  const size = Math.ceil(reach);
  const found = [];
  for (let dy = -size; dy <= size; dy += 1) {
    for (let dx = -size; dx <= size; dx += 1) {
      if (Math.max(Math.abs(dx), Math.abs(dy)) <= reach && shape(dx / reach, dy / reach)) found.push(dx, dy);
    }
  }
  return Int16Array.from(found);
}

/** How opaque a pixel of so many eighths of a point is: a single point stands out the more, the fewer there are. */
function opacities(sums) {
  let points = 0;
  let pixels = 0;
  for (let at = 3; at < sums.length; at += 4) {
    points += sums[at];
    pixels += sums[at] > 0 ? 1 : 0;
  }
  const single = Math.max(0.3, Math.min(0.9, (0.9 * pixels) / Math.max(1, points)));
  return Uint8Array.from({ length: 512 }, (_, eighths) => Math.round(255 * (1 - (1 - single) ** (eighths / 8))));
}

/** A class's mark in its colour, for a legend. */
export function markIcon({ color: [red, green, blue], shape }) {
  const size = 24;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  canvas.className = "mark";
  canvas.setAttribute("aria-hidden", "true");
  const image = new ImageData(size, size);
  const mark = covered(SHAPES[shape], size / 2 - 1);
  for (let m = 0; m < mark.length; m += 2) {
    image.data.set([red, green, blue, 255], 4 * ((size / 2 + mark[m + 1]) * size + size / 2 + mark[m]));
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
