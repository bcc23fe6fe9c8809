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

/** "1 item", "2 items". */
export const counted = (n, one, several = `${one}s`) => `${whole(n)} ${n === 1 ? one : several}`;
