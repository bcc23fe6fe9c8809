/** Numbers in words. */

const MINUS = "−";

/** With so many decimals, a real minus sign, and thousands apart: −1,234.50. */
export function fixed(value, decimals = 2) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const text = Math.abs(value).toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return value < 0 && /[1-9]/.test(text) ? MINUS + text : text;
}

/** A whole number with thousands apart: 70,000. */
export const whole = (value) => fixed(value, 0);

/** With so many digits that count: 0.0123, 1,230. */
export function significant(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const text = Math.abs(value).toLocaleString("en", { maximumSignificantDigits: digits });
  return value < 0 ? MINUS + text : text;
}

/** The least and the greatest of some numbers. */
export const extent = (values) => values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);

/** The smallest of 1, 2, 5, 10, 20, … tenths and so on that is at least so large: a distance between ticks. */
export function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least);
}

/** "1 item", "2 items". */
export const counted = (n, one, several = `${one}s`) => `${whole(n)} ${n === 1 ? one : several}`;
