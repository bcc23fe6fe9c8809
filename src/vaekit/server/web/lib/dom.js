/** Elements without markup: text goes in as text, so data can never become a tag or a script. */

/**
 * Make an element. Properties that start with `on` are listeners, `class`, `role`, `for`, `aria-*` and `data-*` are
 * attributes, and everything else is set on the element itself.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node|string|number|null|undefined|false)} children left out where null, undefined or false
 * @returns {any}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else if (/^(class|role|for|list)$|^(aria|data)-/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** Make an element of a drawing, with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * A labelled control: `field("Steps", h("input", {type: "range"}))`.
 * @param {string} label
 * @param {HTMLElement} control
 * @param {Node} [after] beside the control, such as its value
 */
export function field(label, control, after) {
  return h("label", { class: "field" }, h("span", {}, label), control, after);
}

/**
 * A button.
 * @param {string} text
 * @param {(event: MouseEvent) => void} onclick
 * @param {Record<string, any>} [properties]
 */
export function button(text, onclick, properties = {}) {
  return h("button", { type: "button", onclick, ...properties }, text);
}

/**
 * A select with options [value, text], the chosen one given.
 * @param {[string, string][]} options
 * @param {string} chosen
 * @param {(value: string) => void} onchange
 */
export function select(options, chosen, onchange) {
  const element = h("select", { onchange: () => onchange(element.value) });
  element.append(...options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
  return element;
}

/** Put other children in an element. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Call `work` at most once a painted frame, with the newest arguments. */
export function onFrame(work) {
  let waiting = null;
  return (...given) => {
    if (waiting === null) requestAnimationFrame(() => {
      const arguments_ = waiting;
      waiting = null;
      work(...arguments_);
    });
    waiting = given;
  };
}

/** A function that calls `work` once it has not been called for so many milliseconds, unless `signal` says otherwise. */
export function later(wait, work, signal) {
  let timer = 0;
  signal.addEventListener("abort", () => clearTimeout(timer));
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, wait);
  };
}

/** Whether motion should be kept to what is needed. */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
