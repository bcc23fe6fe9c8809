/**
 * Many points as pixels: where they lie apart each has its mark, where they lie together their density shows.
 *
 * A pixel takes the colour of the last point whose mark covers it, and is the more opaque the more points there are.
 * Points are drawn in a random order that stays, so that the colours of a crowd are a fair sample of its members, and
 * zooming out turns marks into density without a step.
 */

const [SMALLEST, LARGEST] = [1, 6.5]; // radius of a mark in CSS pixels
const SHARE = 0.24; // of the distance between neighbours, if points lay evenly, that a mark's radius takes
const SHAPED = 3.5; // radius in CSS pixels from which marks have shapes
const CROWD = 64; // points in a pixel beyond which it is as opaque as can be
const FAINT = 0.3; // opacity of what is below

/** The marks of classes, as what is inside: u to the right, v downwards, both from -1 to 1. */
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
 * @property {number} shape a position in `SHAPES`
 * @property {boolean} [below] whether it is drawn below all others, and faintly
 */

/** Draws points onto a canvas of its own size. */
export class PointCloud {
  #order = new Uint32Array(0);
  #pixels = new Uint32Array(0); // position in the palette plus 1, times 2 ** 16, plus how many points
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
    this.#clear(points);
    const visible = countVisible(viewport, points);
    const spacing = Math.sqrt((viewport.width * viewport.height) / Math.max(1, visible));
    const radius = Math.max(SMALLEST, Math.min(LARGEST, SHARE * spacing));
    const ratio = this.canvas.width / viewport.width;
    const marks = palette.map(({ shape }) => this.#mark(shape, radius, ratio));
    const below = Uint8Array.from(palette, (ink) => (ink.below ? 1 : 0));
    const sums = { covered: 0, lit: 0 };
    if (below.some(Boolean)) this.#add(viewport, ratio, points, marks, below, 1, sums);
    this.#add(viewport, ratio, points, marks, below, 0, sums);
    this.#show(inks(palette, sums));
    return { visible, radius };
  }

  #clear({ shown }) {
    const { width, height } = this.canvas;
    if (this.#order.length !== shown.length) this.#order = shuffled(shown.length);
    if (this.#image?.width === width && this.#image.height === height) return void this.#pixels.fill(0);
    this.#pixels = new Uint32Array(width * height);
    this.#image = new ImageData(width, height);
  }

  /** The pixels that a mark covers, as [dx, dy, dx, dy, ...]. */
  #mark(k, radius, ratio) {
    const reach = Math.max(0.5, Math.round(2 * radius * ratio) / 2);
    const shape = radius >= SHAPED ? k : 0;
    const key = `${shape}/${reach}`;
    if (!this.#marks.has(key)) this.#marks.set(key, covered(SHAPES[shape], reach));
    return this.#marks.get(key);
  }

  /** Add the points of one layer; `sums` counts what is covered, and how many pixels that lights. */
  #add(viewport, ratio, { xy, count, color, shown }, marks, below, layer, sums) {
    const { width, height } = this.canvas;
    const [pixels, order] = [this.#pixels, this.#order];
    const unit = viewport.unit * ratio;
    const left = width / 2 - viewport.x * unit + 0.5;
    const top = height / 2 + viewport.y * unit + 0.5;
    let [points, lit] = [0, 0];
    for (let k = 0; k < order.length; k += 1) {
      const i = order[k];
      if (i >= count || !shown[i] || below[color[i]] !== layer) continue;
      const x = Math.floor(left + xy[2 * i] * unit);
      const y = Math.floor(top - xy[2 * i + 1] * unit);
      if (x < -16 || y < -16 || x > width + 16 || y > height + 16) continue;
      const code = (color[i] + 1) << 16;
      const mark = marks[color[i]];
      points += mark.length;
      for (let m = 0; m < mark.length; m += 2) {
        const column = x + mark[m];
        const row = y + mark[m + 1];
        if (column < 0 || row < 0 || column >= width || row >= height) continue;
        const at = row * width + column;
        const before = pixels[at];
        if (before === 0) {
          lit += 1;
          pixels[at] = code + 1;
        } else {
          const crowd = below[(before >> 16) - 1] === layer ? before & 0xffff : 0;
          pixels[at] = code + (crowd < 0xffff ? crowd + 1 : crowd);
        }
      }
    }
    sums.covered += points / 2;
    sums.lit += lit;
  }

  #show(table) {
    const pixels = this.#pixels;
    const out = new Uint32Array(this.#image.data.buffer);
    for (let at = 0; at < pixels.length; at += 1) {
      const pixel = pixels[at];
      out[at] = pixel === 0 ? 0 : table[(pixel >> 16) * CROWD + Math.min(pixel & 0xffff, CROWD - 1)];
    }
    this.canvas.getContext("2d").putImageData(this.#image, 0, 0);
  }
}

/** For each ink and each number of points up to CROWD the pixel's bytes: a point stands out the more, the fewer there are. */
function inks(palette, { covered: points, lit }) {
  const single = Math.max(0.3, Math.min(0.9, (0.9 * lit) / Math.max(1, points)));
  const table = new Uint32Array((palette.length + 1) * CROWD);
  palette.forEach(({ color: [red, green, blue], below }, k) => {
    for (let number = 1; number < CROWD; number += 1) {
      const opacity = Math.round(255 * (1 - (1 - single) ** number) * (below ? FAINT : 1));
      table[(k + 1) * CROWD + number] = (opacity << 24) | (blue << 16) | (green << 8) | red;
    }
  });
  return table;
}

/** The numbers below n in an order that is random and always the same. */
function shuffled(n) {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  let seed = 1;
  for (let i = n - 1; i > 0; i -= 1) {
    seed = (seed * 48271) % 2147483647;
    const j = seed % (i + 1);
    const kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
  return order;
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
