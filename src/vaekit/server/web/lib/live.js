/** The live connection: the newest request wins, and it reconnects on its own. */

import { parse } from "./pictures.js";

const FIRST_WAIT = 500; // milliseconds until the first attempt to reconnect
const LONGEST_WAIT = 8000;

/** A WebSocket to `/live`, opened at the first request. `state` is waiting, open, or lost. */
export class Live extends EventTarget {
  #socket = null;
  #wait = FIRST_WAIT;
  #id = 0;
  #asked = new Map(); // id -> {text, resolve, reject}: what is not yet answered, the newest last
  state = "waiting";

  /**
   * Ask. A newer question may be answered instead: then the promise gives null.
   * @param {object} message such as `{run, kind: "decode", z: [0, 1]}`
   * @returns {Promise<import("./pictures.js").Pictures|object|null>} pictures, or what is no picture as JSON
   */
  ask(message) {
    this.#id = (this.#id + 1) % 2 ** 32;
    const id = this.#id;
    const text = JSON.stringify({ id, ...message });
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { text, resolve, reject });
      if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
      else this.#keepNewest();
      this.connect();
    });
  }

  /** Open the connection, unless it is. */
  connect() {
    if (this.#socket) return;
    const url = new URL("live", document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = (this.#socket = new WebSocket(url));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#wait = FIRST_WAIT;
      this.#become("open");
      this.#keepNewest();
      this.#asked.forEach(({ text }) => socket.send(text));
    };
    socket.onmessage = ({ data }) => this.#answer(typeof data === "string" ? JSON.parse(data) : parse(data));
    socket.onclose = () => {
      this.#socket = null;
      this.#become("lost");
      setTimeout(() => this.connect(), this.#wait);
      this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
    };
  }

  #answer(answer) {
    const asked = this.#asked.get(answer.id);
    if (!asked) return;
    this.#giveUp(answer.id);
    this.#asked.delete(answer.id);
    if (answer.error) asked.reject(new Error(answer.error));
    else asked.resolve(answer);
  }

  /** Give up what was asked before: whoever answers the newest first does not answer the others at all. */
  #giveUp(before) {
    for (const [id, { resolve }] of this.#asked) {
      if (id === before) return;
      this.#asked.delete(id);
      resolve(null);
    }
  }

  #keepNewest() {
    const newest = [...this.#asked.keys()].at(-1);
    if (newest !== undefined) this.#giveUp(newest);
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
