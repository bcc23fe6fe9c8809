/** A window onto a plane, y upwards, and how pointers, the wheel and keys move it. */

const CLICK = 4; // pixels that a pointer may move between down and up for a click
const KEY_STEP = 1 / 24; // of the window's width
const KEY_ZOOM = 1.25;

/** What part of the plane is seen. `unit` is how many pixels a unit of the plane has, the same both ways. */
export class Viewport {
  x = 0;
  y = 0;
  unit = 1;
  width = 1;
  height = 1;

  /** Pixels of the window, from its top left. */
  toScreen(x, y) {
    return [this.width / 2 + (x - this.x) * this.unit, this.height / 2 - (y - this.y) * this.unit];
  }

  /** The point of the plane under a pixel. */
  toPlane(left, top) {
    return [this.x + (left - this.width / 2) / this.unit, this.y - (top - this.height / 2) / this.unit];
  }

  /** The part of the plane that is seen. */
  get bounds() {
    const [left, top] = this.toPlane(0, 0);
    const [right, bottom] = this.toPlane(this.width, this.height);
    return { left, right, bottom, top };
  }

  /** Show all of a box; the window may show more. */
  fit({ left, right, bottom, top }) {
    this.x = (left + right) / 2;
    this.y = (bottom + top) / 2;
    this.home = { left, right, bottom, top };
    this.unit = Math.min(this.width / (right - left || 1), this.height / (top - bottom || 1));
  }

  /** Another size in pixels: the same middle, and as much as before of what fits. */
  resize(width, height) {
    const factor = Math.min(width / this.width, height / this.height);
    [this.width, this.height] = [width, height];
    this.unit *= factor;
  }

  pan(dx, dy) {
    this.x -= dx / this.unit;
    this.y += dy / this.unit;
  }

  /** Zoom in by a factor, around a pixel that stays where it is. */
  zoom(factor, left = this.width / 2, top = this.height / 2) {
    const [x, y] = this.toPlane(left, top);
    const least = this.home ? this.width / (this.home.right - this.home.left) / 8 : 0;
    this.unit = Math.max(least, Math.min(this.unit * factor, 1e6));
    const [newX, newY] = this.toPlane(left, top);
    this.x += x - newX;
    this.y += y - newY;
  }
}

/**
 * Let an element move a viewport: dragging pans, wheel and two fingers zoom.
 * @param {HTMLElement} element
 * @param {Viewport} viewport
 * @param {object} on
 * @param {() => void} on.change the viewport has changed
 * @param {(left: number, top: number) => void} [on.point] the pointer is here, without a button
 * @param {(left: number, top: number) => void} [on.click]
 * @param {() => void} [on.leave] the pointer has gone
 * @param {() => boolean} [on.claims] whether a drag is to be given to `on.drag` instead
 * @param {(left: number, top: number, phase: "start"|"move"|"end") => void} [on.drag]
 * @param {boolean} [on.fingerPoints] whether one finger points instead of panning
 * @param {AbortSignal} signal when to stop
 */
export function navigate(element, viewport, on, signal) {
  const pointers = new Map(); // id -> [left, top]
  let moved = 0;
  let dragging = false;
  const listen = (type, work, options = {}) => element.addEventListener(type, work, { signal, ...options });
  const place = (event) => {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  listen("pointerdown", (event) => {
    if (event.button > 0) return;
    element.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
    moved = 0;
    dragging = pointers.size === 1 && Boolean(on.claims?.());
    if (dragging) on.drag(...place(event), "start");
    else if (on.fingerPoints && event.pointerType === "touch" && pointers.size === 1) on.point?.(...place(event));
  });

  listen("pointermove", (event) => {
    const here = place(event);
    const before = pointers.get(event.pointerId);
    if (!before) return void on.point?.(...here);
    moved += Math.hypot(here[0] - before[0], here[1] - before[1]);
    if (dragging) on.drag(...here, "move");
    else if (pointers.size > 1) pinch(event.pointerId, before, here);
    else if (on.fingerPoints && event.pointerType === "touch") on.point?.(...here);
    else if (moved > CLICK) shift(before, here);
    else return;
    pointers.set(event.pointerId, here);
  });

  const release = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (dragging) on.drag(...place(event), "end");
    else if (moved <= CLICK && event.type === "pointerup" && pointers.size === 0) on.click?.(...place(event));
    dragging = false;
  };
  listen("pointerup", release);
  listen("pointercancel", release);
  listen("pointerleave", () => pointers.size === 0 && on.leave?.());

  listen("wheel", (event) => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1) * (event.ctrlKey ? 6 : 1);
    viewport.zoom(Math.exp(-Math.max(-240, Math.min(240, pixels)) / 480), ...place(event));
    on.change();
    on.point?.(...place(event));
  }, { passive: false });

  function shift(before, here) {
    viewport.pan(here[0] - before[0], here[1] - before[1]);
    on.change();
  }

  function pinch(id, before, here) {
    const other = [...pointers].find(([key]) => key !== id)[1];
    const distance = ([x, y]) => Math.hypot(x - other[0], y - other[1]) || 1;
    viewport.pan((here[0] - before[0]) / 2, (here[1] - before[1]) / 2);
    viewport.zoom(distance(here) / distance(before), (here[0] + other[0]) / 2, (here[1] + other[1]) / 2);
    on.change();
  }
}

/**
 * Let keys move: arrows by a step (times four with Shift), + and − zoom, 0 shows all again.
 * @param {HTMLElement} element
 * @param {Viewport} viewport
 * @param {{step: (dx: number, dy: number) => void, change: () => void}} on `step`: in units of the plane
 * @param {AbortSignal} signal
 */
export function navigateByKeys(element, viewport, on, signal) {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const size = ((event.shiftKey ? 4 : 1) * KEY_STEP * viewport.width) / viewport.unit;
    if (event.key in arrows) on.step(arrows[event.key][0] * size, arrows[event.key][1] * size);
    else if ("+=".includes(event.key)) zoomBy(KEY_ZOOM);
    else if ("-_".includes(event.key)) zoomBy(1 / KEY_ZOOM);
    else if (event.key === "0" || event.key === "Home") home();
    else return;
    event.preventDefault();
  }, { signal });

  function zoomBy(factor) {
    viewport.zoom(factor);
    on.change();
  }

  function home() {
    if (viewport.home) viewport.fit(viewport.home);
    on.change();
  }
}
