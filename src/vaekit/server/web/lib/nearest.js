/** Which of many points is nearest: points sorted into the cells of a grid. */

/** A grid over points that stay where they are. */
export class Nearest {
  /**
   * @param {Float32Array} xy two coordinates for each point
   * @param {number} count
   */
  constructor(xy, count) {
    this.xy = xy;
    this.box = boxOf(xy, count);
    this.cells = Math.max(1, Math.round(Math.sqrt(count / 4)));
    const place = new Int32Array(count);
    this.starts = new Int32Array(this.cells ** 2 + 1);
    for (let i = 0; i < count; i += 1) {
      place[i] = this.#row(xy[2 * i + 1]) * this.cells + this.#column(xy[2 * i]);
      this.starts[place[i] + 1] += 1;
    }
    for (let cell = 0; cell < this.cells ** 2; cell += 1) this.starts[cell + 1] += this.starts[cell];
    const next = this.starts.slice();
    this.order = new Int32Array(count);
    for (let i = 0; i < count; i += 1) this.order[next[place[i]]++] = i;
  }

  /** The point nearest to (x, y) within a distance among those shown, or -1. */
  find(x, y, distance, shown) {
    let best = distance * distance;
    let found = -1;
    for (let row = this.#row(y - distance); row <= this.#row(y + distance); row += 1) {
      const first = row * this.cells;
      const stop = this.starts[first + this.#column(x + distance) + 1];
      for (let at = this.starts[first + this.#column(x - distance)]; at < stop; at += 1) {
        const i = this.order[at];
        const squared = (this.xy[2 * i] - x) ** 2 + (this.xy[2 * i + 1] - y) ** 2;
        if (!shown[i] || squared > best) continue;
        best = squared;
        found = i;
      }
    }
    return found;
  }

  #column(x) {
    const { left, right } = this.box;
    return this.#cell((x - left) / (right - left || 1));
  }

  #row(y) {
    const { bottom, top } = this.box;
    return this.#cell((y - bottom) / (top - bottom || 1));
  }

  #cell(share) {
    return Math.max(0, Math.min(this.cells - 1, Math.floor(share * this.cells)));
  }
}

/** The smallest box around points. */
function boxOf(xy, count) {
  let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < count; i += 1) {
    left = Math.min(left, xy[2 * i]);
    right = Math.max(right, xy[2 * i]);
    bottom = Math.min(bottom, xy[2 * i + 1]);
    top = Math.max(top, xy[2 * i + 1]);
  }
  return { left, right, bottom, top };
}

/** The box that leaves out the outermost thousandth at each end, so that a stray point does not shrink all others. */
export function bulkOf(xy, count) {
  const ends = [0, 1].map((axis) => {
    const sorted = Float32Array.from({ length: count }, (_, i) => xy[2 * i + axis]).sort();
    const at = Math.floor(count / 1000);
    const [low, high] = [sorted[at], sorted[count - 1 - at]];
    const margin = 0.06 * (high - low || 1);
    return [low - margin, high + margin];
  });
  return { left: ends[0][0], right: ends[0][1], bottom: ends[1][0], top: ends[1][1] };
}

/**
 * Which points lie within a polygon, by the even-odd rule.
 * @param {[number, number][]} polygon
 * @param {{xy: Float32Array, count: number, shown: Uint8Array}} points
 * @returns {number[]}
 */
export function inside(polygon, { xy, count, shown }) {
  const found = [];
  const [xs, ys] = [polygon.map(([x]) => x), polygon.map(([, y]) => y)];
  const [left, right, bottom, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  for (let i = 0; i < count; i += 1) {
    const x = xy[2 * i];
    const y = xy[2 * i + 1];
    if (!shown[i] || x < left || x > right || y < bottom || y > top) continue;
    let odd = false;
    for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a, a += 1) {
      if (ys[a] > y !== ys[b] > y && x < ((xs[b] - xs[a]) * (y - ys[a])) / (ys[b] - ys[a]) + xs[a]) odd = !odd;
    }
    if (odd) found.push(i);
  }
  return found;
}
