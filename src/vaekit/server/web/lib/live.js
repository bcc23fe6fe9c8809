/** The live connection: the newest request wins, and it reconnects on its own. */

import { parse } from "./pictures.js";

const FIRST_WAIT = 500; // milliseconds until the first attempt to reconnect
const LONGEST_WAIT = 8000;

/** A WebSocket to `/live`, opened at the first request. `state` is waiting, open, or lost. */
export class Live extends EventTarget {
  #socket = null;
  #wait = FIRST_WAIT;
  #id = 0;
  #newest = null; // {id, text, resolve, reject}: what is not yet answered
  state = "waiting";

  /**
   * Ask, and give up whatever was asked before: its promise gives null.
   * @param {object} message such as `{run, kind: "decode", z: [0, 1]}`
   * @returns {Promise<import("./pictures.js").Pictures|object|null>} pictures, or what is no picture as JSON
   */
  ask(message) {
    this.#newest?.resolve(null);
    this.#id = (this.#id + 1) % 2 ** 32;
    const id = this.#id;
    return new Promise((resolve, reject) => {
      this.#newest = { id, text: JSON.stringify({ id, ...message }), resolve, reject };
      if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(this.#newest.text);
      else this.connect();
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
      if (this.#newest) socket.send(this.#newest.text);
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
    if (answer.id !== this.#newest?.id) return;
    const { resolve, reject } = this.#newest;
    this.#newest = null;
    if (answer.error) reject(new Error(answer.error));
    else resolve(answer);
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
