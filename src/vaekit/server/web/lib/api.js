/** Requests to the server, with its sentence where something is wrong. */

import { parse } from "./pictures.js";

export const SILENT = "The server does not answer; is it still running?";

/** What went wrong, in the server's sentence. `shown` once a person has been told. */
export class ApiError extends Error {
  constructor(message, status = 0) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.shown = false;
  }
}

const READERS = {
  json: (response) => response.json(),
  text: (response) => response.text(),
  blob: (response) => response.blob(),
  buffer: (response) => response.arrayBuffer(),
  float32: async (response) => new Float32Array(await response.arrayBuffer()),
  pictures: async (response) => parse(await response.arrayBuffer()),
  response: async (response) => response,
};

/**
 * Ask the server. A body that is no Blob, buffer or text is sent as JSON, and makes it a POST.
 * @param {string} path such as `page/points`
 * @param {{query?: object, body?: any, method?: string, headers?: object, as?: keyof typeof READERS,
 *   signal?: AbortSignal}} [options] `as`: what the answer is, JSON if nothing is said
 * @throws {ApiError} the server's sentence; an AbortError if `signal` says so
 */
export async function request(path, { query = {}, body, method, headers = {}, as = "json", signal } = {}) {
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
  }
  const raw = body instanceof Blob || body instanceof ArrayBuffer || ArrayBuffer.isView(body) || typeof body === "string";
  const response = await fetch(url, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: body === undefined || raw ? headers : { "Content-Type": "application/json", ...headers },
    body: body === undefined || raw ? body : JSON.stringify(body),
    signal,
  }).catch((error) => {
    throw error.name === "AbortError" ? error : new ApiError(SILENT);
  });
  if (!response.ok) throw new ApiError(await sentence(response), response.status);
  return READERS[as](response);
}

async function sentence(response) {
  try {
    return (await response.json()).error;
  } catch {
    return `The server answered ${response.status} ${response.statusText}`.trim();
  }
}

/**
 * A function of which only the newest call counts: an earlier one that is still under way is aborted, and gives null.
 * @template T
 * @param {(signal: AbortSignal, ...given: any[]) => Promise<T>} work
 * @returns {(...given: any[]) => Promise<T|null>}
 */
export function newest(work) {
  let running = new AbortController();
  return async (...given) => {
    running.abort();
    const own = (running = new AbortController());
    try {
      const result = await work(own.signal, ...given);
      return own.signal.aborted ? null : result;
    } catch (error) {
      if (own.signal.aborted || error.name === "AbortError") return null;
      throw error;
    }
  };
}
