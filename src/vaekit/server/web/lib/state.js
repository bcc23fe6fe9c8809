/** What the page shows, kept in the address: `#/clusters?run=digits&by=label`, so that it can be linked and reloaded. */

/** The view and its parameters. `change` is dispatched when the address is changed by a link or by going back. */
export class State extends EventTarget {
  constructor() {
    super();
    addEventListener("hashchange", () => this.dispatchEvent(new Event("change")));
  }

  /** The view's id, "" if none is named. */
  get view() {
    return this.#parts().view;
  }

  /** A parameter's text, or null. */
  get(name) {
    return this.#parts().parameters.get(name);
  }

  /** Change parameters without a new entry in the history; null removes one. */
  set(values) {
    const { view, parameters } = this.#parts();
    for (const [name, value] of Object.entries(values)) {
      if (value === null || value === undefined) parameters.delete(name);
      else parameters.set(name, String(value));
    }
    history.replaceState(null, "", href(view, parameters));
  }

  /** The address of a view of the same run. */
  link(view, values = {}) {
    const run = this.get("run");
    return href(view, new URLSearchParams({ ...(run ? { run } : {}), ...values }));
  }

  #parts() {
    const [, view = "", query = ""] = location.hash.match(/^#\/([^?]*)\??(.*)$/) ?? [];
    return { view, parameters: new URLSearchParams(query) };
  }
}

function href(view, parameters) {
  const query = parameters.toString();
  return `#/${view}${query && `?${query}`}`;
}
