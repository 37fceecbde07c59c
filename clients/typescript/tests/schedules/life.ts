// The life of an app instance, which may end at each await of the client.

import { buildSync } from "esbuild";
import { join } from "node:path";

type CreateClient = typeof import("../../src/client.ts").createClient;

/**
 * The client's modules as a function of the `Promise` that they use. They are compiled to a language without asynchronous
 * functions, so that all that follows an await is a callback of that `Promise`.
 */
const compiled = buildSync({
  entryPoints: [join(import.meta.dirname, "../../src/client.ts")],
  bundle: true,
  format: "cjs",
  target: "es2016",
  write: false,
});
const load = new Function("Promise", "module", compiled.outputFiles[0]!.text);

export class Life {
  alive = true;
  /** Is told of each await of the client that is over. */
  onAwait = () => {};
  /** The client's `Promise`: its callbacks are not called after the end. */
  readonly Promise: PromiseConstructor;
  readonly createClient: CreateClient;
  /** How many awaits are over, and how many there will be. */
  #awaits = 0;
  #last = Infinity;
  #onEnd = () => {};

  constructor() {
    const guarded = <T, U>(callback: ((value: T) => U | PromiseLike<U>) | null | undefined) =>
      callback && ((value: T): U | PromiseLike<U> => (this.#goesOn() ? callback(value) : new Promise(() => {})));
    this.Promise = class<T> extends Promise<T> {
      override then<U = T, V = never>(
        fulfilled?: ((value: T) => U | PromiseLike<U>) | null,
        rejected?: ((reason: unknown) => V | PromiseLike<V>) | null,
      ): Promise<U | V> {
        return super.then(guarded(fulfilled), guarded(rejected));
      }
    };
    const module = { exports: {} as { createClient: CreateClient } };
    load(this.Promise, module);
    this.createClient = module.exports.createClient;
  }

  end(): void {
    this.alive = false;
  }

  /** Ends instead of going on after `awaits` more awaits, and calls `onEnd` then. */
  endAfter(awaits: number, onEnd = () => {}): void {
    this.#last = this.#awaits + awaits;
    this.#onEnd = onEnd;
  }

  #goesOn(): boolean {
    if (!this.alive) return false;
    this.onAwait();
    if (this.#awaits++ < this.#last) return true;
    this.end();
    this.#onEnd();
    return false;
  }
}
