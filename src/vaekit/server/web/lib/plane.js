/** A plane through the latent space: two of its axes, all others held. */

import { fixed, whole } from "./numbers.js";

/**
 * @typedef {object} Axes what `/page/axes` says
 * @property {string[]} [names] of the dimensions, in a saved page
 * @property {number[]} order
 * @property {number[]|null} importance
 * @property {"kl"|"variance"|null} measure
 * @property {number[]} center
 * @property {number[][]} directions
 * @property {number[]} shares
 * @property {number[]} low
 * @property {number[]} high
 * @property {[number, number][]} ends of the directions
 */

/** Two axes of one kind, `"dims"` or `"principal"`, and the values of the others where a slider has moved them. */
export class Plane {
  /**
   * @param {Axes} axes
   * @param {{principal?: boolean, first?: number, second?: number}} [chosen] the two that matter most if left out
   */
  constructor(axes, { principal = false, first, second } = {}) {
    this.axes = axes;
    this.principal = principal;
    const order = this.order;
    this.first = order.includes(first) ? first : order[0];
    this.second = order.includes(second) && second !== this.first ? second : order.find((axis) => axis !== this.first);
    this.held = new Map();
  }

  /**
   * The plane that the address names, such as `3,0` or `p0,p1`, else that of the two axes that matter most.
   * @param {Axes} axes
   * @param {string|null} keys
   * @param {boolean} principal whether those are principal directions, where there are more than two dimensions
   */
  static from(axes, keys, principal) {
    const [first, second] = (keys ?? "").split(",");
    const number = (text) => (text ? Number(text.replace("p", "")) : undefined);
    const kind = first ? first.startsWith("p") : principal && axes.center.length > 2;
    return new Plane(axes, { principal: kind, first: number(first), second: number(second) });
  }

  /** All axes of the kind, those that matter most first. */
  get order() {
    return this.principal ? this.axes.directions.map((_, k) => k) : this.axes.order;
  }

  /** The axes that are not in the plane. */
  get others() {
    return this.order.filter((axis) => axis !== this.first && axis !== this.second);
  }

  /** As the server calls them: `["0", "1"]` or `["p0", "p1"]`. */
  get keys() {
    return [this.first, this.second].map((axis) => (this.principal ? `p${axis}` : String(axis)));
  }

  /** How far the prior, or the data, reach along an axis. */
  range(axis) {
    return this.principal ? this.axes.ends[axis] : [this.axes.low[axis], this.axes.high[axis]];
  }

  /** The value at which an axis is held: that of its slider, else 0, or the middle where 0 is out of reach. */
  value(axis) {
    const [low, high] = this.range(axis);
    return this.held.get(axis) ?? (low <= 0 && high >= 0 ? 0 : (low + high) / 2);
  }

  /** An axis in words. */
  name(axis) {
    return this.axes.names?.[axis] ?? (this.principal ? `direction ${axis + 1}` : `z[${axis}]`);
  }

  /** The two axes in words. */
  get names() {
    return [this.name(this.first), this.name(this.second)];
  }

  /** How much an axis matters, in words; "" where nobody knows. */
  weight(axis) {
    const { importance, measure, shares } = this.axes;
    if (this.principal) return `${whole(100 * shares[axis])} % of the variance`;
    if (!importance) return "";
    return measure === "kl" ? `${fixed(importance[axis], 2)} nats` : `variance ${fixed(importance[axis], 2)}`;
  }

  /** The box that the two axes' ranges make. */
  get box() {
    const [[left, right], [bottom, top]] = [this.range(this.first), this.range(this.second)];
    return { left, right, bottom, top };
  }

  /** The latent vectors of points of the plane, one after the other. */
  points(coordinates) {
    const size = this.axes.center.length;
    const out = new Float32Array(coordinates.length * size);
    const base = this.#base();
    coordinates.forEach(([x, y], row) => {
      const at = row * size;
      out.set(base, at);
      this.#add(out, at, this.first, x);
      this.#add(out, at, this.second, y);
    });
    return out;
  }

  #base() {
    const base = this.principal ? Float32Array.from(this.axes.center) : new Float32Array(this.axes.center.length);
    for (const axis of this.principal ? this.held.keys() : this.others) this.#add(base, 0, axis, this.value(axis));
    return base;
  }

  #add(z, at, axis, amount) {
    if (!this.principal) z[at + axis] += amount;
    else this.axes.directions[axis].forEach((part, d) => (z[at + d] += amount * part));
  }
}
