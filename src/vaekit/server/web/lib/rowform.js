/** A row of a table to be edited, and what the model expects of each of its cells; or a list of numbers. */

import { button, h, later } from "./dom.js";
import { fixed } from "./numbers.js";

const PAUSE = 250; // milliseconds after the last key until the row is judged

/**
 * A form with a line for each column: its cell, what the others let expect there, and what it adds to the surprise.
 * @param {any} app
 * @param {{index: number, cells: Record<string, string>}|null} start
 * @param {(body: object) => Promise<any>} judge
 */
export function rowForm(app, start, judge) {
  const { columns } = app.run;
  const lines = columns.map((column) => formLine(column, start?.cells[column.name] ?? "", () => askLater()));
  const origin = h("span", { class: "muted small" }, start ? `From row ${start.index} of the data.` : "");
  const ask = async () => {
    const answer = await judge({ cells: Object.fromEntries(lines.map(({ name, input }) => [name, input.value])) });
    if (answer) explain(lines, answer.causes);
  };
  const askLater = later(PAUSE, ask, app.signal);
  const another = button("Another row of the data", async () => {
    const { index, cells } = await app.api("page/start");
    lines.forEach(({ name, input }) => (input.value = cells[name]));
    origin.textContent = `From row ${index} of the data.`;
    ask();
  }, { disabled: !start });
  ask();
  const heads = ["column", "value", "expected, given the others", "adds"];
  return h("section", { class: "panel stack" }, h("h2", {}, "The row"),
    h("p", { class: "muted small" }, "Change a cell, or empty it where it is unknown. Red is what the other cells do not let " +
      "expect; what a cell adds to the surprise, given the others, is on the right."),
    h("div", { class: "row" }, another, origin),
    h("div", { class: "scroll" }, h("table", { class: "row-form" },
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, lines.map(({ element }) => element)))));
}

function formLine(column, text, onchange) {
  const input = column.values ? choice(column, text, onchange) : h("input", { type: "text", value: text, oninput: onchange,
    inputMode: column.kind === "datetime" ? "text" : "decimal", placeholder: "missing", title: column.extent });
  input.setAttribute("aria-label", column.name);
  const [expected, bar, nats] = [h("td"), h("span", { class: "part", "aria-hidden": "true", style: { width: "0" } }), h("span", { class: "number" })];
  const element = h("tr", {}, h("th", { scope: "row" }, column.name), h("td", {}, input), expected,
    h("td", {}, h("span", { class: "adds" }, bar, nats)));
  return { name: column.name, input, expected, bar, nats, element };
}

function choice(column, text, onchange) {
  const options = [["", "missing"], ...column.values.map((value) => [value, value])];
  return h("select", { onchange }, options.map(([value, words]) => h("option", { value, selected: value === text }, words)));
}

/** Put in each line what the model expects, and what the cell adds. */
function explain(lines, causes) {
  const most = Math.max(1, ...causes.map(({ nats }) => nats));
  for (const { name, input, expected, bar, nats, element } of lines) {
    const cause = causes.find(({ column }) => column === name);
    const range = cause.low && cause.high ? `${cause.expected} (${cause.low} to ${cause.high})` : cause.expected;
    const known = input.value.trim() !== "";
    expected.textContent = known ? range : `${range}, filled in`;
    bar.style.width = `${Math.max(0, (64 * cause.nats) / most)}px`;
    nats.textContent = known ? `${fixed(cause.nats, 1)} nats` : "–";
    element.classList.toggle("cause", cause.unexpected);
    input.setAttribute("aria-description", cause.unexpected ? "unexpected, given the others" : "");
  }
}

/**
 * A field for the numbers of a vector.
 * @param {any} app
 * @param {{index: number, values: number[]}|null} start
 * @param {(body: object) => Promise<any>} judge
 */
export function numbersForm(app, start, judge) {
  const text = h("textarea", { rows: 6, spellcheck: false, "aria-label": "Numbers of the item", oninput: () => askLater() });
  const ask = () => {
    const parts = text.value.split(/[\s,;]+/).filter(Boolean);
    const wrong = parts.find((part) => !Number.isFinite(Number(part)));
    if (wrong !== undefined) return app.message(`Expected numbers apart by spaces or commas, got “${wrong}”.`, "error");
    return parts.length ? judge({ values: parts.map(Number) }) : null;
  };
  const askLater = later(PAUSE, ask, app.signal);
  const put = (values) => {
    text.value = values.map((value) => Number(value.toPrecision(6))).join(" ");
    ask();
  };
  const another = button("Another item of the data", async () => put((await app.api("page/start")).values), { disabled: !start });
  if (start) put(start.values);
  return h("section", { class: "panel stack" }, h("h2", {}, "The numbers"),
    h("p", { class: "muted small" }, "Paste or change the values of one item, apart by spaces or commas."), text, h("div", { class: "row" }, another));
}
