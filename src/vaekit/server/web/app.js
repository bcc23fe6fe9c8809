/**
 * The shell: views, the choice of a model, messages, appearance, connection.
 *
 * A view is a module `views/NAME.js`, named in `views/index.js`, that exports
 *   caption                       explains the view to someone who has never seen a VAE
 *   suits(run) -> string | null   (may be left out) why the view cannot be shown for a run
 *   mount(root, app) -> unmount   fills `root`; what it returns (may be nothing) is called when it is left
 *
 * and gets
 *   app.run                       what is known of the chosen run: see `/page/run`
 *   app.runs                      the names of all: [{name}]
 *   app.api(path, options)        asks the server about the chosen run (lib/api.js), until the view is left; errors are
 *                                 shown, and thrown; `as: "items"` reads items of whatever kind the run's are
 *   app.live                      the live connection (lib/live.js)
 *   app.announce(text)            said to screen readers
 *   app.message(text, kind)       a line above the view: kind "note", "busy" or "error"; null takes it away
 *   app.state                     the address (lib/state.js)
 *   app.signal                    aborted when the view is left
 *   app.onTheme(work)             calls `work` when colours change, until the view is left
 */

import { ApiError, SILENT, request } from "./lib/api.js";
import { fill, h } from "./lib/dom.js";
import { Live } from "./lib/live.js";
import { State } from "./lib/state.js";
import { themeSwitch } from "./lib/theme.js";
import { VIEWS } from "./views/index.js";

const CONNECTION = { waiting: "connecting", open: "live", lost: "no connection, trying again" };

const byId = (id) => /** @type {any} */ (document.getElementById(id));
const live = new Live();
const state = new State();
const recolored = new EventTarget();
let left = new AbortController(); // aborted when a view is left
let unmount = null; // what the view's mount gave back

async function start() {
  themeSwitch(byId("theme"), () => recolored.dispatchEvent(new Event("change")));
  live.addEventListener("state", showConnection);
  live.connect();
  message("Reading the models …", "busy");
  const runs = await loadRuns();
  if (!runs) return;
  buildRuns(runs);
  const show = () => showView(runs);
  state.addEventListener("change", show);
  show();
}

async function loadRuns() {
  for (let wait = 500; ; wait = Math.min(2 * wait, 8000)) {
    try {
      return (await request("page/runs")).runs;
    } catch (error) {
      message(error.message, "error");
      if (error.status) return null;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

function buildRuns(runs) {
  byId("runs").hidden = runs.length < 2;
  byId("run-name").textContent = runs.length < 2 ? runs[0].name : "";
  const choice = byId("run");
  fill(choice, runs.map(({ name }) => h("option", { value: name }, name)));
  choice.addEventListener("change", () => {
    location.hash = `#/${state.view}?${new URLSearchParams({ run: choice.value })}`;
  });
}

async function showView(runs) {
  const view = VIEWS.find(({ id }) => id === state.view) ?? VIEWS[0];
  const { name } = runs.find((one) => one.name === state.get("run")) ?? runs[0];
  if (view.id !== state.view) history.replaceState(null, "", state.link(view.id));
  byId("run").value = name;
  leave();
  buildTabs(view);
  byId("title").textContent = view.title;
  document.title = `${view.title} · ${name} · vaekit`;
  message(null);
  const { signal } = left;
  const [run, module] = await Promise.all([request("page/run", { query: { run: name } }), view.load()]).catch((error) => {
    if (!signal.aborted) message(error instanceof ApiError ? error.message : SILENT, "error");
    return [];
  });
  if (signal.aborted || !run) return;
  byId("caption").textContent = module.caption;
  const why = module.suits?.(run) ?? null;
  if (why) message(why, "note");
  else unmount = module.mount(byId("view"), appFor(run, runs));
}

function leave() {
  left.abort();
  left = new AbortController();
  if (typeof unmount === "function") unmount();
  unmount = null;
  fill(byId("view"));
}

/** What a view is given. */
function appFor(run, runs) {
  const { signal } = left;
  const items = run.kind === "image" ? "pictures" : "json";
  const api = async (path, { query, as, signal: own, ...options } = {}) => {
    try {
      return await request(path, {
        ...options,
        query: { run: run.name, ...query },
        as: as === "items" ? items : as,
        signal: own ? AbortSignal.any([signal, own]) : signal,
      });
    } catch (error) {
      if (error.name !== "AbortError" && !signal.aborted) message(error.message, "error");
      error.shown = true;
      throw error;
    }
  };
  const onTheme = (work) => recolored.addEventListener("change", work, { signal });
  return { run, runs, api, live, announce, message, state, signal, onTheme };
}

function buildTabs(current) {
  const links = VIEWS.map(({ id, title }) =>
    h("a", { href: state.link(id), "aria-current": id === current.id ? "page" : null }, title));
  fill(byId("tabs"), links);
  const chosen = links[VIEWS.indexOf(current)];
  chosen.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function message(text, kind = "note") {
  const line = byId("message");
  line.hidden = !text;
  line.dataset.kind = kind;
  line.textContent = text ?? "";
}

function announce(text) {
  byId("announcer").textContent = text;
}

function showConnection() {
  byId("connection").dataset.state = live.state;
  byId("connection").textContent = CONNECTION[live.state];
}

// What was shown to the person needs no line in the console; what was left needs nobody.
addEventListener("unhandledrejection", (event) => {
  if (event.reason?.shown || event.reason?.name === "AbortError") event.preventDefault();
});

start();
