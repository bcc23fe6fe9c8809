/**
 * A server inside the file, for a page that `vaekit export-page` wrote: it answers what was recorded, and decodes a
 * point of the plane by blending the four decoded places around it.
 */

import { csv } from "./lib/files.js";

const saved = JSON.parse(document.getElementById("saved").textContent);
const { answers, run, count, places } = saved;
const ready = run.kind === "image" ? Promise.all([saved.decoded, saved.items].map((sheet) => sheet && unpack(sheet))) : null;
const SENTENCE = "This saved page does not hold that; vaekit explore shows it.";

globalThis.fetch = async (url, { body } = {}) => {
  const found = await answer(new URL(url), body);
  const isRaw = found instanceof ArrayBuffer || typeof found === "string" || found === null;
  return respond(isRaw ? found : JSON.stringify(found));
};

/** The live connection, which ends in the file. */
globalThis.WebSocket = class {
  static OPEN = 1;
  readyState = 1;

  constructor() {
    queueMicrotask(() => this.onopen());
  }

  async send(text) {
    const { id, z } = JSON.parse(text);
    const found = await decoded(Float32Array.from(z), "items");
    if (found instanceof ArrayBuffer) new DataView(found).setUint32(0, id, true);
    this.onmessage({ data: found instanceof ArrayBuffer ? found : JSON.stringify({ id, ...found }) });
  }
};

const respond = (body) => (body === null
  ? new Response(JSON.stringify({ error: SENTENCE }), { status: 404 })
  : new Response(body));

async function answer({ pathname, searchParams }, body) {
  const path = pathname.slice(pathname.lastIndexOf("/page/") + 1);
  if (path === "page/points") return bytes(saved.points).buffer;
  if (path === "page/colors") return answers[`page/colors/${searchParams.get("by")}`] ?? null;
  if (path === "page/selection") return selection(JSON.parse(body).index);
  if (path === "page/items") return items(searchParams.get("index").split(",").map(Number), searchParams.has("reconstructed"));
  if (path === "page/decode") return decoded(new Float32Array(body.buffer ?? body), searchParams.get("as") ?? "items");
  return answers[path] ?? null;
}

/** Selected items as CSV: their positions, what colours them, and where they lie on the plane. */
function selection(index) {
  const by = answers["page/data"].by.map((name) => [name, answers[`page/colors/${name}`]]);
  const xy = new Float32Array(bytes(saved.points).buffer);
  const cell = ({ names, values }, i) => (names ? names[values[i]] : values[i]) ?? "";
  return csv([["index", ...by.map(([name]) => name), ...answers["page/axes"].names],
    ...index.map((i) => [i, ...by.map(([, colors]) => cell(colors, i)), xy[2 * i], xy[2 * i + 1]])]);
}

/** Items at positions of the data and, behind them, their reconstructions. */
async function items(index, reconstructed) {
  const places = reconstructed ? [...index, ...index.map((i) => i + count)] : index;
  if (run.kind !== "image") return picked(saved.items, places);
  const [, pictures] = await ready;
  return message(pictures, places.map((place) => [[place, 1]]));
}

/** What points [x, y, x, y, …] of the plane decode to. */
async function decoded(z, form) {
  const points = Array.from({ length: z.length / 2 }, (_, i) => around(z[2 * i], z[2 * i + 1]));
  const nearest = points.map((corners) => corners.reduce((best, corner) => (corner[1] > best[1] ? corner : best))[0]);
  if (form === "numbers") return rows(bytes(saved.numbers), nearest);
  if (run.kind !== "image") return picked(saved.decoded, nearest);
  return message((await ready)[0], points);
}

/** The decoded places around a point, by their positions, with their weights. */
function around(x, y) {
  const [column, row] = [x, y].map((value, axis) => {
    const share = (value - places.low[axis]) / (places.high[axis] - places.low[axis]);
    return Math.max(0, Math.min(1, share)) * (places.side - 1);
  });
  const [left, low] = [column, row].map((place) => Math.min(Math.floor(place), places.side - 2));
  return [0, 1].flatMap((up) => [0, 1].map((right) => [
    (low + up) * places.side + left + right,
    (right ? column - left : 1 - column + left) * (up ? row - low : 1 - row + low),
  ]));
}

/** Pictures as the server sends them; each is made of several with weights. */
function message({ width, height, channels, data }, blends) {
  const size = width * height * channels;
  const buffer = new ArrayBuffer(20 + blends.length * size);
  const view = new DataView(buffer);
  [0, blends.length, height, width, channels].forEach((number, i) => view.setUint32(4 * i, number, true));
  const out = new Uint8Array(buffer, 20);
  blends.forEach((parts, i) => {
    for (let k = 0; k < size; k += 1) {
      out[i * size + k] = Math.round(parts.reduce((sum, [place, weight]) => sum + weight * data[place * size + k], 0));
    }
  });
  return buffer;
}

/** Some of the rows, or of the values, of an answer. */
const picked = (answer, index) =>
  Object.fromEntries(Object.entries(answer).map(([name, all]) => [name, index.map((i) => all[i])]));

/** Some of the rows of a matrix of float32 with a row for each place. */
function rows(matrix, index) {
  const size = matrix.length / places.side ** 2;
  const out = new Uint8Array(index.length * size);
  index.forEach((place, i) => out.set(matrix.subarray(place * size, (place + 1) * size), i * size));
  return out.buffer;
}

/** The pictures of a sheet, a PNG file in base64, row by row. */
async function unpack({ png, across, total }) {
  const [height, width, channels] = run.item;
  const image = await createImageBitmap(new Blob([bytes(png)], { type: "image/png" }), { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const data = new Uint8Array(total * height * width * channels);
  for (let i = 0; i < total; i += 1) {
    const { data: pixels } = context.getImageData((i % across) * width, Math.floor(i / across) * height, width, height);
    for (let k = 0; k < height * width; k += 1) {
      for (let channel = 0; channel < channels; channel += 1) data[(i * height * width + k) * channels + channel] = pixels[4 * k + channel];
    }
  }
  return { width, height, channels, data };
}

function bytes(text) {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
