/** A picture that is dropped, pasted, chosen as a file, or drawn with the pointer. */

import { button, field, h } from "./dom.js";
import { unpack } from "./gallery.js";
import { pixels } from "./pictures.js";

const SIDE = 280; // pixels of the longer side of the canvas
const PAUSE = 120; // milliseconds between two looks at a picture that is being drawn

/**
 * A canvas to draw on, which also takes files; `judge` is given a picture whenever there is a new one.
 * @param {any} app
 * @param {{background: number}|null} start
 * @param {(picture: Blob) => Promise<any>} judge
 */
export function drawing(app, start, judge) {
  const { run, signal } = app;
  const [height, width, channels] = run.item;
  const unit = SIDE / Math.max(height, width);
  const canvas = h("canvas", { class: "sheet", width: Math.round(width * unit), height: Math.round(height * unit), tabIndex: 0,
    role: "img", "aria-label": "A sheet to draw on; files can be dropped, pasted or chosen instead" });
  const sheet = new Sheet(canvas, (start?.background ?? 0) > 0.5);
  const look = throttled(async () => canvas.toBlob((picture) => judge(picture)), signal);

  async function take(file) {
    const answer = await judge(file);
    if (answer) sheet.put(pixels(unpack(run, answer.item)));
  }

  const chooser = h("input", { type: "file", accept: "image/*", class: "visually-hidden", tabIndex: -1, "aria-label": "Choose a picture",
    onchange: () => {
      if (chooser.files.length) take(chooser.files[0]);
      chooser.value = "";
    } });
  const size = h("input", { type: "range", min: "4", max: "48", value: "20", oninput: () => (sheet.size = Number(size.value)) });
  const color = h("input", { type: "color", value: sheet.ink, oninput: () => (sheet.ink = color.value) });
  const panel = h("section", { class: "panel stack drop" }, h("h2", {}, "Draw, drop or paste a picture"),
    h("div", { class: "sheet-row" }, canvas, h("div", { class: "stack" },
      h("div", { class: "row" }, button("Choose a file", () => chooser.click()), chooser,
        button("Clear", () => sheet.clear()),
        button("Invert", () => {
          sheet.invert();
          color.value = sheet.ink;
          look();
        }, { title: "Swap dark and bright" })),
      field("Brush", size), channels > 1 ? field("Colour", color) : null,
      h("p", { class: "muted small" }, `The middle of the picture is scaled to ${width} × ${height} pixels` +
        `${channels > 1 ? "" : " of grey"}, which is what the model sees. Is it dark where the data are bright? Invert it.`))));
  pen(canvas, sheet, look, signal);
  files(panel, take, signal);
  if (start) example(app, start.index, take);
  return panel;
}

/** Begin with an item of the data, so that there is something to see and to change. */
async function example(app, index, take) {
  const answer = await app.api("page/items", { query: { index }, as: "pictures" });
  const canvas = h("canvas", { width: answer.width, height: answer.height });
  canvas.getContext("2d").putImageData(pixels(answer), 0, 0);
  canvas.toBlob(take);
}

/** What is drawn on the canvas. */
class Sheet {
  size = 20;

  /** @param {HTMLCanvasElement} canvas @param {boolean} bright whether the ground is white */
  constructor(canvas, bright) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    [this.ground, this.ink] = bright ? ["#ffffff", "#000000"] : ["#000000", "#ffffff"];
    this.clear();
  }

  clear() {
    this.context.fillStyle = this.ground;
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** Swap dark and bright, of the ink too. */
  invert() {
    const { width, height } = this.canvas;
    const image = this.context.getImageData(0, 0, width, height);
    image.data.forEach((value, i) => (image.data[i] = i % 4 === 3 ? value : 255 - value));
    this.context.putImageData(image, 0, 0);
    [this.ground, this.ink] = [this.ground, this.ink].map((color) =>
      `#${(0xffffff - parseInt(color.slice(1), 16)).toString(16).padStart(6, "0")}`);
  }

  /** Show pixels, enlarged. */
  put(image) {
    const small = new OffscreenCanvas(image.width, image.height);
    small.getContext("2d").putImageData(image, 0, 0);
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(small, 0, 0, this.canvas.width, this.canvas.height);
  }

  line([fromX, fromY], [toX, toY]) {
    Object.assign(this.context, { strokeStyle: this.ink, lineWidth: this.size, lineCap: "round", lineJoin: "round" });
    this.context.beginPath();
    this.context.moveTo(fromX, fromY);
    this.context.lineTo(toX, toY + 0.01); // a line without length would not be drawn
    this.context.stroke();
  }
}

function pen(canvas, sheet, look, signal) {
  let last = null;
  const place = ({ offsetX, offsetY }) => [(offsetX * canvas.width) / canvas.clientWidth, (offsetY * canvas.height) / canvas.clientHeight];
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    sheet.line(last, last);
    look();
  }, { signal });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    for (const each of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) {
      const next = place(each);
      sheet.line(last, next);
      last = next;
    }
    look();
  }, { signal });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null), { signal });
}

/** Take the first file that is dropped anywhere on the page or pasted. */
function files(panel, take, signal) {
  addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (file) take(file);
  }, { signal });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    panel.classList.add("over");
  }, { signal });
  addEventListener("dragleave", (event) => event.relatedTarget || panel.classList.remove("over"), { signal });
  addEventListener("drop", (event) => {
    event.preventDefault();
    panel.classList.remove("over");
    const file = event.dataTransfer?.files[0];
    if (file) take(file);
  }, { signal });
}

/** Call `work` at once, then at most every PAUSE, the last time included. */
function throttled(work, signal) {
  let [timer, again] = [0, false];
  const run = () => {
    again = false;
    work();
    timer = setTimeout(() => {
      timer = 0;
      if (again) run();
    }, PAUSE);
  };
  signal.addEventListener("abort", () => clearTimeout(timer));
  return () => (timer ? (again = true) : run());
}
