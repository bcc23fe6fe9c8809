/**
 * A plane of decoded items, kept in tiles of cells × cells as maps are: each level halves the distance between
 * neighbouring items, a tile is decoded once, and what is missing is shown by what is there of coarser levels.
 */

const KEPT = 160; // tiles
const LINE = "rgb(128 128 128 / 45%)";
const RULED = 24; // pixels of an item from which there are lines between items
const AT_ONCE = 2; // requests under way

/**
 * @typedef {object} Tile
 * @property {CanvasImageSource|null} image the cells, row 0 on top
 * @property {(row: number, column: number) => any} cell what one of them is
 */

/** The tiles of one plane; `load` makes them. */
export class Tiles {
  #tiles = new Map(); // "level/i/j" -> Tile, null while it is on its way
  #stale = new Map(); // of the plane before, shown until replaced
  #wanted = [];
  #running = 0;
  #generation = 0;
  shown = 0; // the level drawn last

  /**
   * @param {object} options
   * @param {number} options.cells in a row of a tile
   * @param {number} options.spacing between neighbouring items at level 0, across
   * @param {number} options.aspect of an item, height by width
   * @param {(points: [number, number][]) => Promise<Tile>} options.load decodes the points of a tile, row by row
   * @param {() => void} options.changed there is something new to draw
   */
  constructor({ cells, spacing, aspect, load, changed }) {
    Object.assign(this, { cells, spacing, aspect, load, changed });
  }

  /** Forget what is known, because the plane is another; what was known is shown until it is replaced. */
  reset() {
    this.#generation += 1;
    if ([...this.#tiles.values()].some(Boolean)) this.#stale = this.#tiles;
    this.#tiles = new Map();
    this.#wanted = [];
  }

  /** The level whose items are drawn at about `pixels`. */
  level(viewport, pixels) {
    return Math.round(Math.log2((this.spacing * viewport.unit) / pixels));
  }

  /** Draw what is known, coarse to fine, and ask for what is missing, the middle first; whether all of it is there. */
  draw(context, viewport, pixels) {
    const level = (this.shown = this.level(viewport, pixels));
    context.imageSmoothingEnabled = false;
    for (const tiles of [this.#stale, this.#tiles]) {
      for (const [key, tile] of this.#visible(tiles, viewport, level)) this.#paint(context, viewport, key, tile);
    }
    this.#rule(context, viewport, level);
    const needed = this.#needed(viewport, level);
    const missing = needed.filter((key) => !this.#tiles.has(key));
    if (!missing.length && !this.#running) this.#stale.clear();
    this.#wanted = missing;
    this.#fetch();
    return needed.every((key) => this.#tiles.get(key));
  }

  /** What is known of the item nearest to a point, or null. */
  nearest(x, y) {
    for (let coarser = this.shown; coarser > this.shown - 4; coarser -= 1) {
      const [width, height] = this.#size(coarser);
      const [i, j] = [Math.floor(x / width), Math.floor(y / height)];
      const tile = this.#tiles.get(`${coarser}/${i}/${j}`);
      if (!tile) continue;
      const column = Math.floor((x / width - i) * this.cells);
      return tile.cell(this.cells - 1 - Math.floor((y / height - j) * this.cells), column);
    }
    return null;
  }

  #size(level) {
    const width = (this.cells * this.spacing) / 2 ** level;
    return [width, width * this.aspect];
  }

  #needed(viewport, level) {
    const { left, right, bottom, top } = viewport.bounds;
    const [width, height] = this.#size(level);
    const keys = [];
    for (let i = Math.floor(left / width); i * width < right; i += 1) {
      for (let j = Math.floor(bottom / height); j * height < top; j += 1) {
        keys.push([Math.hypot((i + 0.5) * width - viewport.x, (j + 0.5) * height - viewport.y), `${level}/${i}/${j}`]);
      }
    }
    return keys.sort((a, b) => a[0] - b[0]).map(([, key]) => key);
  }

  #visible(tiles, viewport, level) {
    const { left, right, bottom, top } = viewport.bounds;
    const distance = (key) => Math.abs(parseInt(key, 10) - level);
    return [...tiles].filter(([key, tile]) => {
      const [at, i, j] = key.split("/").map(Number);
      const [width, height] = this.#size(at);
      return tile && i * width < right && (i + 1) * width > left && j * height < top && (j + 1) * height > bottom;
    }).sort(([a], [b]) => distance(b) - distance(a));
  }

  #paint(context, viewport, key, tile) {
    const [level, i, j] = key.split("/").map(Number);
    const [width, height] = this.#size(level);
    const [left, top] = viewport.toScreen(i * width, (j + 1) * height).map(Math.round);
    const [right, bottom] = viewport.toScreen((i + 1) * width, j * height).map(Math.round);
    context.imageSmoothingEnabled = right - left < tile.image.width;
    context.drawImage(tile.image, left, top, right - left, bottom - top);
  }

  /** Thin lines between items that are large enough for them. */
  #rule(context, viewport, level) {
    const [across, up] = this.#size(level).map((size) => size / this.cells);
    if (across * viewport.unit < RULED) return;
    const { left, right, bottom, top } = viewport.bounds;
    context.beginPath();
    for (let i = Math.ceil(left / across); i * across < right; i += 1) {
      const [x] = viewport.toScreen(i * across, 0).map(Math.round);
      context.moveTo(x, 0);
      context.lineTo(x, viewport.height);
    }
    for (let j = Math.ceil(bottom / up); j * up < top; j += 1) {
      const [, y] = viewport.toScreen(0, j * up).map(Math.round);
      context.moveTo(0, y);
      context.lineTo(viewport.width, y);
    }
    context.strokeStyle = LINE;
    context.lineWidth = 1;
    context.stroke();
  }

  #points(key) {
    const [level, i, j] = key.split("/").map(Number);
    const [width, height] = this.#size(level);
    const centre = (k) => (k + 0.5) / this.cells;
    const order = Array.from({ length: this.cells }, (_, k) => k);
    return order.flatMap((row) => order.map((column) => [(i + centre(column)) * width, (j + 1 - centre(row)) * height]));
  }

  async #fetch() {
    if (this.#running >= AT_ONCE || !this.#wanted.length) return;
    const key = this.#wanted.shift();
    const [tiles, generation] = [this.#tiles, this.#generation];
    tiles.set(key, null);
    this.#running += 1;
    this.#fetch();
    try {
      const tile = await this.load(this.#points(key));
      tiles.set(key, tile);
      while (tiles.size > KEPT) tiles.delete(tiles.keys().next().value);
    } catch (error) {
      if (error.name !== "AbortError") setTimeout(() => tiles.delete(key), 2000);
    } finally {
      this.#running -= 1;
    }
    if (generation === this.#generation) this.changed();
    this.#fetch();
  }
}
