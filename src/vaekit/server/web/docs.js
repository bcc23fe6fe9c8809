/** The page about the service: what each route takes and answers, with an example of the run to send. */

import { request } from "./lib/api.js";
import { button, field, fill, h, select } from "./lib/dom.js";
import { themeSwitch } from "./lib/theme.js";

const JSON_TYPE = "application/json";
const SHOWN = 4000; // characters of an answer

const byId = (id) => document.getElementById(id);

/** A type of JSON in words, such as `integer, 1 or more`. */
function typeOf(schema) {
  const kinds = schema.anyOf ? schema.anyOf.map((one) => one.type) : [schema.type];
  const ends = [];
  if (schema.minimum !== undefined) ends.push(`${schema.minimum} or more`);
  if (schema.exclusiveMinimum !== undefined) ends.push(`above ${schema.exclusiveMinimum}`);
  if (schema.maximum !== undefined) ends.push(`at most ${schema.maximum}`);
  if (schema.exclusiveMaximum <= 1) ends.push(`below ${schema.exclusiveMaximum}`);
  return [kinds.filter((kind) => kind && kind !== "null").join(" or "), ...ends].join(", ");
}

/** The fields of a body of JSON, or the parameters of the query where there is no body. */
function options(operation) {
  const schema = operation.requestBody?.content[JSON_TYPE]?.schema;
  if (!schema) return (operation.parameters ?? []).map((one) => [one.name, one.schema, one.description, one.required]);
  const required = schema.required ?? [];
  const rows = Object.entries(schema.properties).map(([name, about]) => [name, about, about.description, required.includes(name)]);
  return rows.sort((one, other) => other[3] - one[3]);
}

function optionTable(rows) {
  if (!rows.length) return null;
  const line = ([name, schema, description, required]) => h("tr", {},
    h("td", {}, name), h("td", {}, typeOf(schema)),
    h("td", {}, description ?? "", required ? " (needed)" : schema.default != null ? ` (${schema.default} if left out)` : ""));
  return h("table", {}, h("thead", {}, h("tr", {}, ...["option", "type", "meaning"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, ...rows.map(line)));
}

/** Show an answer: a picture, text, or how large it is. */
async function show(place, response, milliseconds) {
  const type = response.headers.get("content-type") ?? "";
  const line = h("p", {}, `${response.status}, ${type}, ${milliseconds.toFixed(0)} ms`);
  if (type.startsWith("image/")) {
    const url = URL.createObjectURL(await response.blob());
    fill(place, line, h("img", { src: url, alt: "the pictures that were answered", onload: () => URL.revokeObjectURL(url) }));
  } else if (type.includes("json") || type.startsWith("text/")) {
    const text = await response.text();
    const cut = text.length > SHOWN ? `${text.slice(0, SHOWN)} … ${text.length.toLocaleString("en")} characters in all` : text;
    fill(place, line, h("pre", { tabIndex: 0, role: "region", "aria-label": "answer" }, cut));
  } else {
    fill(place, line, h("p", {}, `${(await response.arrayBuffer()).byteLength.toLocaleString("en")} bytes`));
  }
}

/** What sends a route's example. */
function trial(path, method, operation, run) {
  const body = operation.requestBody?.content[JSON_TYPE];
  if (body && body.example === undefined) return null;
  const kinds = Object.keys(operation.responses["200"].content);
  const text = body ? h("textarea", { value: JSON.stringify(body.example), spellcheck: false, "aria-label": `body for ${path}` }) : null;
  const accept = select(kinds.map((kind) => [kind, kind]), kinds[0], () => {});
  const place = h("div", { class: "answer", role: "status" });
  const send = async () => {
    fill(place, h("p", {}, "waiting …"));
    const start = performance.now();
    try {
      const response = await fetch(`.${path}${run ? `?run=${encodeURIComponent(run)}` : ""}`, {
        method: method.toUpperCase(),
        headers: { Accept: accept.value, ...(body ? { "Content-Type": JSON_TYPE } : {}) },
        body: text?.value,
      });
      await show(place, response, performance.now() - start);
    } catch {
      fill(place, h("p", {}, "There is no connection to the server."));
    }
  };
  return h("div", {}, text, h("div", { class: "try" }, field("Answer as", accept), button(`Send to ${path}`, send)), place);
}

function route(path, method, operation, run) {
  const types = Object.keys(operation.requestBody?.content ?? {});
  return h("section", { class: "route", "aria-labelledby": `route-${path.slice(1)}` },
    h("h2", { id: `route-${path.slice(1)}` }, h("span", { class: "method" }, method.toUpperCase()), path),
    h("p", {}, operation.description ?? "", types.length ? ` Takes ${types.join(", ")}.` : ""),
    optionTable(options(operation).filter(([name]) => name !== "run")),
    trial(path, method, operation, run));
}

async function start() {
  const run = new URLSearchParams(location.search).get("run");
  const [described, info] = await Promise.all(["openapi.json", "info"].map((path) => request(path, { query: { run } })));
  byId("about").textContent = described.info.description.replaceAll("`", "").replaceAll("\n", " ");
  fill(byId("routes"), ...Object.entries(described.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => route(path, method, operation, run))));
  byId("runs").hidden = info.runs.length < 2;
  fill(byId("run"), ...info.runs.map((name) => h("option", { value: name, selected: name === info.name }, name)));
  byId("run").addEventListener("change", () => { location.search = `?run=${encodeURIComponent(byId("run").value)}`; });
  byId("message").hidden = true;
}

themeSwitch(byId("theme"), () => {});
start().catch((error) => { byId("message").textContent = error.message; });
