/** What the model is and how good it is; several runs side by side. */

import { fill, h } from "../lib/dom.js";
import { fixed, significant, whole } from "../lib/numbers.js";
import { runChoice, shown } from "../lib/several.js";

export const caption =
  "What the model is made of, how well it did when it was last evaluated on examples it had not seen, and what may be " +
  "wrong with it.";

export function mount(root, app) {
  const body = h("div", { class: "stack" }, h("p", { class: "muted" }, "Reading the model …"));
  const show = async () => {
    const names = shown(app);
    const found = await Promise.all(names.map((name) => app.api("page/model", { query: { run: name } })));
    fill(body, h("div", { class: "columns" }, card(names, found), h("div", { class: "stack" }, diagnosis(names, found))),
      ...evaluation(names, found), columns(found[0]));
  };
  fill(root, h("div", { class: "stack" }, runChoice(app, show), body));
  show();
}

/** A row for each fact, a column for each run. */
function card(names, found) {
  const facts = [...new Set(found.flatMap((one) => one.card.map(([name]) => name)))];
  const rows = facts.map((name) => [name, found.map((one) => new Map(one.card).get(name) ?? "–")]);
  return section("Card", table(names, rows.map(([name, values]) => row(name, values))));
}

/** The last evaluations, number by number; how to get one where there is none. */
function evaluation(names, found) {
  const known = found.map((one) => one.evaluation);
  if (!known.some(Boolean)) {
    return [section("Evaluation", h("p", {}, "This run has not been evaluated yet. Type ",
      h("code", {}, `vaekit evaluate ${names[0]}`), " and look here again."))];
  }
  const titles = [...new Set(known.flatMap((one) => one?.sections.map(({ title }) => title) ?? []))];
  return titles.map((title, i) => numbers(names, known, title, i === 0));
}

function numbers(names, known, title, first) {
  const sections = known.map((one) => one?.sections.find((each) => each.title === title));
  const all = sections.flatMap((one) => one?.numbers ?? []);
  const distinct = [...new Map(all.map((number) => [number.name, number])).values()];
  const rows = distinct.map(({ name, unit, about }) => {
    const values = sections.map((one) => words(one?.numbers.find((number) => number.name === name)));
    return h("tr", {}, h("th", { scope: "row" }, spelled(name)), values.map((value) => h("td", { class: "number" }, value)),
      h("td", { class: "muted" }, unit), h("td", { class: "muted about" }, about));
  });
  const judged = known.map((one) => (one ? `${whole(one.n)} examples, ${one.data}` : "not evaluated"));
  const note = names.length > 1 ? names.map((name, i) => `${name}: ${judged[i]}`).join("; ") : judged[0];
  return section(title, first ? h("p", { class: "muted small" }, note) : null,
    table(names, rows, ["", ""], names.length > 1 ? "facts" : "facts numbers"));
}

function words(number) {
  if (!number) return "–";
  const { value, low, high } = number;
  const text = Number.isInteger(value) ? whole(value) : Math.abs(value) >= 1 ? fixed(value, 2) : significant(value, 3);
  return low === undefined ? text : `${text} (${fixed(low, 2)} to ${fixed(high, 2)})`;
}

const WORDS = {
  elbo: "ELBO", kl: "KL", mse: "MSE", ssim: "SSIM", ess: "ESS", mig: "MIG", frechet: "Fréchet distance",
  kernel: "kernel distance", pareto_k: "Pareto k", linear_gaussian: "linear-Gaussian model", bits_per_dim: "bits per value",
};

const spelled = (name) => WORDS[name] ?? name.replace(/_se$/, ", standard error").replaceAll("_", " ");

/** What the evaluations found wrong. */
const diagnosis = (names, found) => found.map(({ evaluation: report }, i) => (report ? findings(names, i, report) : null));

/** What an evaluation found wrong, with the options to try. */
function findings(names, at, report) {
  const list = report.findings.map(({ name, sentence, remedy }) => h("li", {}, h("strong", {}, name), h("p", {}, sentence),
    remedy ? h("p", { class: "muted small" }, "Try ", h("code", {}, remedy)) : null));
  const heading = names.length > 1 ? `Diagnosis of ${names[at]}` : "Diagnosis";
  return section(heading, list.length ? h("ul", { class: "findings" }, list) : h("p", {}, "Nothing that the numbers show."));
}

/** What the columns of a table are. */
function columns({ columns: known }) {
  if (!known.length) return null;
  const rows = known.map(({ name, kind, values }) => row(name, [kind, values]));
  return section("Columns", h("div", { class: "scroll" }, h("table", {}, h("tbody", {}, rows))));
}

const row = (name, values) => h("tr", {}, h("th", { scope: "row" }, name), values.map((value) => h("td", {}, value)));

function table(names, rows, more = [], kind = "facts") {
  const head = [...names, ...more].map((name) => h(name ? "th" : "td", name ? { scope: "col" } : {}, name));
  const first = names.length > 1 ? h("thead", {}, h("tr", {}, h("td"), head)) : null;
  return h("div", { class: "scroll" }, h("table", { class: kind }, first, h("tbody", {}, rows)));
}

const section = (heading, ...children) => h("section", { class: "panel" }, h("h2", {}, heading), ...children);
