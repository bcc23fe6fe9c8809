/** Files for the browser to save. */

import { h } from "./dom.js";

/** Let the browser save a blob under a name. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Let the browser save rows of cells as CSV. */
export const downloadCsv = (rows, name) => download(new Blob([csv(rows)], { type: "text/csv" }), name);

/** Rows of cells as CSV (RFC 4180). */
export const csv = (rows) => rows.map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");

function quoted(cell) {
  const text = String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
