/**
 * Pictures as the server sends them: five little-endian uint32 (id, count, height, width, channels), then count ·
 * height · width · channels bytes, row by row, channels last.
 */

const HEADER = 20;

/**
 * @typedef {object} Pictures
 * @property {number} id what was asked for, 0 outside the live connection
 * @property {number} count
 * @property {number} height
 * @property {number} width
 * @property {number} channels 1 (grey), 3 (RGB)
 * @property {Uint8Array} data
 */

/**
 * Read pictures from what the server sent.
 * @param {ArrayBuffer} buffer
 * @returns {Pictures}
 */
export function parse(buffer) {
  const view = new DataView(buffer);
  const [id, count, height, width, channels] = [0, 4, 8, 12, 16].map((at) => view.getUint32(at, true));
  return { id, count, height, width, channels, data: new Uint8Array(buffer, HEADER, count * height * width * channels) };
}

/**
 * One of the pictures as the pixels of a canvas.
 * @param {Pictures} pictures
 * @param {number} [index]
 * @returns {ImageData}
 */
export function pixels({ height, width, channels, data }, index = 0) {
  const image = new ImageData(width, height);
  const start = index * height * width * channels;
  for (let pixel = 0; pixel < height * width; pixel += 1) {
    const from = start + pixel * channels;
    const to = pixel * 4;
    image.data[to] = data[from];
    image.data[to + 1] = data[from + (channels > 1 ? 1 : 0)];
    image.data[to + 2] = data[from + (channels > 2 ? 2 : 0)];
    image.data[to + 3] = 255;
  }
  return image;
}

/**
 * Paint one of the pictures on a canvas of its size; CSS scales it (class `picture`).
 * @param {HTMLCanvasElement} canvas
 * @param {Pictures} pictures
 * @param {number} [index]
 */
export function paint(canvas, pictures, index = 0) {
  if (canvas.width !== pictures.width || canvas.height !== pictures.height) {
    canvas.width = pictures.width;
    canvas.height = pictures.height;
  }
  canvas.getContext("2d").putImageData(pixels(pictures, index), 0, 0);
  return canvas;
}

/**
 * A canvas that shows one of the pictures, with a text for those who cannot see it.
 * @param {Pictures} pictures
 * @param {number} index
 * @param {string} text
 * @returns {HTMLCanvasElement}
 */
export function picture(pictures, index, text) {
  const canvas = document.createElement("canvas");
  canvas.className = "picture";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", text);
  return /** @type {HTMLCanvasElement} */ (paint(canvas, pictures, index));
}
