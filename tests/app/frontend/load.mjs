// The app's scripts as the browser gets them: joined into one, here with a made-up browser around them.

import { readFileSync } from "node:fs";
import vm from "node:vm";

const APP = new URL("../../../app/", import.meta.url);

// Run scripts of the app in this order and return what they declare under these names.
export function load(scripts, names, browser = {}) {
  const source = scripts.map((name) => readFileSync(new URL(name, APP), "utf8")).join("\n");
  const context = vm.createContext({ console, setTimeout, clearTimeout, AbortController, AbortSignal, ...browser });
  context.window ??= context;
  return vm.runInContext(`${source}\n;({ ${names.join(", ")} })`, context);
}

// Objects made in another realm are equal only by what they hold.
export function plain(value) {
  return JSON.parse(JSON.stringify(value));
}

export class FakeStorage {
  #kept = new Map();
  full = false;
  get length() {
    return this.#kept.size;
  }
  key(i) {
    return [...this.#kept.keys()][i] ?? null;
  }
  getItem(name) {
    return this.#kept.get(name) ?? null;
  }
  setItem(name, text) {
    if (this.full) throw new Error("QuotaExceededError");
    this.#kept.set(name, text);
  }
  removeItem(name) {
    this.#kept.delete(name);
  }
}
