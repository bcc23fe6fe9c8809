/** How points are coloured: by classes, which a legend filters, or by a number on a scale. */

import { classColor, scaleColor } from "./color.js";
import { button, fill, h } from "./dom.js";
import { scaleBar } from "./item.js";
import { counted, extent, significant, whole } from "./numbers.js";
import { markIcon } from "./pointcloud.js";
import { token } from "./theme.js";

const SHADES = 64; // of a scale
const GREY = [140, 146, 154];

/** What colours points, and which of them are shown. */
export class Coloring {
  /**
   * @param {string} by
   * @param {{names: string[]|null, values: (number|null)[]}|null} answer what `/page/colors` says; null: all alike
   * @param {number} count
   */
  constructor(by, answer, count) {
    this.by = by;
    this.names = answer ? answer.names : [];
    this.values = answer?.values ?? null;
    [this.low, this.high] = extent(this.names ? [] : this.values.filter((value) => value !== null));
    this.code = Uint8Array.from({ length: count }, (_, i) => this.#code(i));
    this.color = this.code.slice();
    this.hidden = new Set(); // codes
    this.shown = new Uint8Array(count).fill(1);
    this.recolor();
  }

  /** Take the colours that suit the ground, which is light or dark. */
  recolor() {
    this.palette = [...this.#inks(), { color: GREY, shape: 0 }, { color: GREY, shape: 0, below: true }];
  }

  /** The part of the scale that stands out from the ground. */
  get scale() {
    return token("--scale").split(" ").map(Number);
  }

  /** The code of points whose value is unknown. */
  get unknown() {
    return this.palette.length - 2;
  }

  /** What a point's label is, in words; "" where there is none. */
  text(i) {
    if (!this.values) return "";
    const value = this.values[i];
    if (value === null || value === -1) return `${this.by} unknown`;
    return this.names ? this.names[value] : `${this.by} ${significant(value, 6)}`;
  }

  /** Points beside those selected are drawn in grey; a null selects none, and all are coloured. */
  select(selected) {
    const faint = this.palette.length - 1;
    for (let i = 0; i < this.color.length; i += 1) this.color[i] = selected && !selected.has(i) ? faint : this.code[i];
  }

  /** Show the points of a code, or hide them. */
  show(code, shown) {
    if (shown) this.hidden.delete(code);
    else this.hidden.add(code);
    for (let i = 0; i < this.code.length; i += 1) this.shown[i] = this.hidden.has(this.code[i]) ? 0 : 1;
  }

  /** How many points each code has, among those of a set or all. */
  counts(selected) {
    const counts = new Uint32Array(this.palette.length);
    if (selected) selected.forEach((i) => (counts[this.code[i]] += 1));
    else this.code.forEach((code) => (counts[code] += 1));
    return counts;
  }

  /** In the middle of each class its name: [name, x, y], by medians of the points known. */
  centers(xy, count) {
    if (!this.names?.length) return [];
    const members = this.names.map(() => []);
    for (let i = 0; i < count; i += 1) if (this.code[i] < members.length && this.shown[i]) members[this.code[i]].push(i);
    const median = (of, axis) => Float32Array.from(of, (i) => xy[2 * i + axis]).sort()[of.length >> 1];
    return members.flatMap((of, k) => (of.length ? [[this.names[k], median(of, 0), median(of, 1)]] : []));
  }

  #code(i) {
    if (!this.values) return 0;
    const value = this.values[i];
    if (this.names) return value < 0 ? this.names.length : value;
    if (value === null) return SHADES;
    return Math.floor((SHADES - 1e-6) * ((value - this.low) / (this.high - this.low || 1)));
  }

  #inks() {
    if (!this.values) return [{ color: classColor(0), shape: 0 }];
    if (this.names) return this.names.map((_, k) => ({ color: classColor(k), shape: k % 10 }));
    const [low, high] = this.scale;
    const share = (k) => low + ((high - low) * k) / (SHADES - 1);
    return Array.from({ length: SHADES }, (_, k) => ({ color: scaleColor(share(k)), shape: 0 }));
  }
}

/**
 * The legend of a colouring: a switch for each class, or a scale.
 * @param {Coloring} coloring
 * @param {() => void} changed a class was shown or hidden
 * @returns {{element: HTMLElement, update: (selected: Set<number>|null) => void}}
 */
export function legend(coloring, changed) {
  if (!coloring.values) return { element: h("div"), update: () => {} };
  if (!coloring.names) {
    const ends = [coloring.low, coloring.high].map((value) => h("span", {}, significant(value, 4)));
    const missing = coloring.counts(null)[coloring.unknown];
    const left = missing ? h("p", { class: "muted small" }, `${counted(missing, "point")} without a value, in grey`) : null;
    return { element: h("div", {}, h("div", { class: "scale" }, scaleBar(coloring.scale), ends), left), update: () => {} };
  }
  return classLegend(coloring, changed);
}

function classLegend(coloring, changed) {
  const total = coloring.counts(null);
  const codes = [...coloring.names.keys(), coloring.unknown].filter((code) => total[code]);
  const set = (wanted) => {
    codes.forEach((code) => coloring.show(code, wanted(code)));
    show();
    changed();
  };
  const show = () => {
    rows.forEach(({ toggle, code }) => toggle.setAttribute("aria-pressed", String(!coloring.hidden.has(code))));
    all.hidden = !coloring.hidden.size;
  };
  const rows = codes.map((code) => {
    const name = coloring.names[code] ?? "unknown";
    const number = h("span", { class: "number" });
    const toggle = h("button", { type: "button", class: "legend-toggle", "aria-pressed": "true",
      onclick: () => {
        const hidden = new Set(coloring.hidden);
        if (!hidden.delete(code)) hidden.add(code);
        set((other) => !hidden.has(other));
      },
    }, markIcon(coloring.palette[code]), h("span", { class: "legend-name" }, name), number);
    const only = button("only", () => set((other) => other === code), { class: "quiet only", "aria-label": `Only ${name}` });
    return { code, toggle, number, element: h("li", {}, toggle, only) };
  });
  const all = button("Show all", () => set(() => true), { class: "quiet only", hidden: true });
  const element = h("div", {}, h("ul", { class: "legend-list" }, rows.map((row) => row.element)), all);
  const update = (selected) => {
    const counts = coloring.counts(selected);
    rows.forEach(({ number, code }) => fill(number, whole(counts[code])));
  };
  update(null);
  show();
  return { element, update };
}
