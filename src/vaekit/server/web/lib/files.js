/** Files for the browser to save. */

import { h } from "./dom.js";

/** Let the browser save a blob under a name. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Let the browser save rows of cells as CSV (RFC 4180). */
export function downloadCsv(rows, name) {
  const text = rows.map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");
  download(new Blob([text], { type: "text/csv" }), name);
}

function quoted(cell) {
  const text = String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
