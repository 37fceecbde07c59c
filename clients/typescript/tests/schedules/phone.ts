// One storage and one network, and the app instances that have them one after the other.

import assert from "node:assert/strict";

import type { Client } from "../../src/client.ts";
import { type Stored, sessionKey } from "../../src/stored.ts";
import type { Storage } from "../../src/storage.ts";
import { ManualClock } from "../harness.ts";
import { Life } from "./life.ts";
import { quiet } from "./steps.ts";

/** What becomes of an access to the storage that is under way when the app is ended. */
export const storages = { "answers at once": undefined, "finishes what was asked": true, "drops what was asked": false };

export interface Instance {
  life: Life;
  client: Client;
}

export class Phone {
  readonly texts = new Map<string, string>();
  readonly clock = new ManualClock();
  readonly reasons: string[] = [];
  /** How often something has reached the storage, the network or the app, or was on its way there. */
  effects = 0;
  readonly #url: string;
  readonly #storage: keyof typeof storages;
  readonly #pending = new Set<Promise<unknown>>();

  constructor(url: string, storage: keyof typeof storages) {
    this.#url = url;
    this.#storage = storage;
  }

  /** Starts the app, which ends after so many awaits. */
  start(awaits = Infinity): Instance {
    const life = new Life();
    life.endAfter(awaits);
    const client = life.createClient({
      url: this.#url,
      storage: this.#open(life),
      onSignedOut: (reason) => (this.effects++, this.reasons.push(reason)),
      fetch: this.#fetch(life),
      clock: this.clock,
    });
    return { life, client };
  }

  #open(life: Life): Storage {
    const { texts } = this;
    const finishes = storages[this.#storage];
    const access = <T>(read: () => T): T | Promise<T> => {
      assert.ok(life.alive, "an app that is ended asks its storage");
      this.effects++;
      if (finishes === undefined) return read();
      return new life.Promise((resolve) => {
        this.#wait(quiet().then(() => {
          if (!life.alive && !finishes) return;
          this.effects++;
          resolve(read());
        }));
      });
    };
    return {
      getItem: (key) => access(() => texts.get(key)),
      setItem: (key, text) => access(() => texts.set(key, text)),
      removeItem: (key) => access(() => texts.delete(key)),
    };
  }

  /** What is sent arrives, and what is answered is there at once. */
  #fetch(life: Life): typeof fetch {
    return (input, init) =>
      new life.Promise((resolve) => {
        assert.ok(life.alive, "an app that is ended sends a request");
        this.effects++;
        const { signal: _, ...rest } = init!;
        this.#wait(fetch(input, rest).then(async (answer) => resolve(new Response(await answer.text(), answer))));
      });
  }

  #wait(done: Promise<unknown>): void {
    this.#pending.add(done);
    void done.finally(() => this.#pending.delete(done));
  }

  /** Resolves when nothing is under way any more. */
  async rest(): Promise<void> {
    do {
      await Promise.all(this.#pending);
      await quiet();
    } while (this.#pending.size);
  }

  get session(): Stored | null {
    return JSON.parse(this.texts.get(sessionKey) ?? "null");
  }
}
