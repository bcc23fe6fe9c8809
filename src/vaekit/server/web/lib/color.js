/** Colours of classes and of numbers, the same as in the pictures that vaekit draws. */

// Ten colours told apart with impaired colour vision: M. A. Petroff, arXiv:2107.02270; then the same, darker.
const PETROFF = [
  "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
];
const DARKER = 0.55;

// Viridis at 17 places; in between, it is straight.
const VIRIDIS = [
  0x440154, 0x481a6c, 0x472f7d, 0x414487, 0x39568c, 0x31688e, 0x2a788e, 0x23888e, 0x1f988b, 0x22a884, 0x35b779,
  0x54c568, 0x7ad151, 0xa5db36, 0xd2e21b, 0xf1e51d, 0xfde725,
];

/**
 * The colour of class k as [r, g, b], 0 to 255.
 * @param {number} k
 * @returns {[number, number, number]}
 */
export function classColor(k) {
  const value = parseInt(PETROFF[k % PETROFF.length].slice(1), 16);
  const factor = Math.floor(k / PETROFF.length) % 2 ? DARKER : 1;
  return /** @type {any} */ (bytes(value).map((channel) => Math.round(factor * channel)));
}

/**
 * The colour of a number on its scale from 0 to 1 (viridis) as [r, g, b].
 * @param {number} t
 * @returns {[number, number, number]}
 */
export function scaleColor(t) {
  const place = Math.max(0, Math.min(1, t)) * (VIRIDIS.length - 1);
  const left = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const [a, b] = [bytes(VIRIDIS[left]), bytes(VIRIDIS[left + 1])];
  return /** @type {any} */ (a.map((channel, i) => Math.round(channel + (place - left) * (b[i] - channel))));
}

/** A colour for CSS. */
export const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;

function bytes(value) {
  return [value >> 16, (value >> 8) & 255, value & 255];
}
