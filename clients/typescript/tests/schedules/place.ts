// A phone or a browser in a schedule: one storage, and the app instances that share it.

import assert from "node:assert/strict";

import type { Client } from "../../src/client.ts";
import { sessionKey } from "../../src/stored.ts";
import type { Storage } from "../../src/storage.ts";
import type { Ledger } from "./ledger.ts";
import { Life } from "./life.ts";
import { type Backend, Network } from "./network.ts";
import type { Step, Steps } from "./steps.ts";

/** An app instance, from its start until it is ended. */
export interface Instance {
  name: string;
  client: Client;
  life: Life;
  /** The device that it holds. */
  held: string | undefined;
  /** Whether the app itself is signing out. */
  leaving: number;
  /** Sessions that were lost without the app's doing and are not explained yet. */
  unexplained: string[];
  /** Accesses to the storage that are under way. */
  accesses: Set<Step>;
  /** Calls under way, by which the schedule may cancel them. */
  calls: Set<AbortController>;
}

export class Place {
  readonly texts = new Map<string, string>();
  readonly network: Network;
  instances: Instance[] = [];
  /** Is told what a client does wrong in a callback. */
  onFailure: (failure: unknown) => void = () => {};
  #started = 0;

  readonly name: "phone" | "browser";
  readonly steps: Steps;
  readonly ledger: Ledger;
  readonly backend: Backend;

  constructor(name: "phone" | "browser", steps: Steps, ledger: Ledger, backend: Backend) {
    this.name = name;
    this.steps = steps;
    this.ledger = ledger;
    this.backend = backend;
    this.network = new Network(name, steps, ledger, backend);
  }

  /** A browser's storage answers at once, a phone's by a step. */
  #storage(instance: Instance): Storage {
    const { texts, steps } = this;
    const wrote = (key: string, text: string) => {
      texts.set(key, text);
      if (key === sessionKey) this.ledger.devices.get(JSON.parse(text).device)!.stored = true;
    };
    if (this.name === "browser") {
      return {
        getItem: (key) => texts.get(key) ?? null,
        setItem: wrote,
        removeItem: (key) => texts.delete(key),
      };
    }
    const step = <T>(what: string, key: string, access: () => T) =>
      new instance.life.Promise<T>((resolve) => {
        const taken = steps.add(`${instance.name} ${what} ${key}`, () => {
          instance.accesses.delete(taken);
          const value = access();
          if (instance.life.alive) resolve(value);
        });
        instance.accesses.add(taken);
      });
    return {
      getItem: (key) => step("reads", key, () => texts.get(key) ?? null),
      setItem: (key, text) => step("writes", key, () => wrote(key, text)),
      removeItem: (key) => step("removes", key, () => texts.delete(key)),
    };
  }

  readonly start = (): Instance => {
    const { steps } = this;
    const name = `${this.name} ${++this.#started}`;
    const life = new Life();
    const instance = { name, life, leaving: 0, unexplained: [], accesses: new Set(), calls: new Set() } as unknown as Instance;
    const ahead = steps.below(1_000_000);
    const alive = () => life.alive;
    steps.note(`start ${name}`);
    instance.client = life.createClient({
      url: "http://service",
      storage: this.#storage(instance),
      fetch: this.network.fetch(life),
      clock: {
        now: () => steps.time + ahead,
        after: (ms, f) => steps.after(ms, `${name} timer`, () => alive() && f()),
      },
      onChange: (session) => this.#changed(instance, session?.device.id),
      onSignedOut: (reason) => {
        try {
          if (life.alive) this.#signedOut(instance, reason);
        } catch (failure) {
          this.onFailure(failure);
        }
      },
    });
    this.instances.push(instance);
    return instance;
  };

  /** Ends an app instance. What it has just asked of the storage may be done or not. */
  end(instance: Instance): void {
    const { steps } = this;
    steps.note(`end ${instance.name}`);
    instance.life.end();
    let isDone = true;
    for (const access of [...instance.accesses]) {
      steps.drop(access);
      isDone &&= steps.happens(0.5);
      if (isDone) void access.run();
    }
    this.instances = this.instances.filter((other) => other !== instance);
  }

  /** Ends an app instance at one of the next awaits of its client. */
  endSoon(instance: Instance): void {
    const awaits = this.steps.below(40);
    this.steps.note(`${instance.name} has ${awaits} awaits left`);
    instance.life.endAfter(awaits, () => this.end(instance));
  }

  #changed(instance: Instance, device: string | undefined): void {
    this.steps.note(`  ${instance.name} holds ${device?.slice(-6)}`);
    if (!device && !instance.leaving) instance.unexplained.push(instance.held!);
    // Whoever signs in again need not learn why the session before has ended.
    if (device) instance.unexplained = [];
    instance.held = device;
  }

  #signedOut(instance: Instance, reason: string): void {
    this.steps.note(`  ${instance.name} was signed out: ${reason}`);
    const id = instance.unexplained.shift();
    assert.ok(id, `${instance.name} is told that it was signed out, and was not`);
    const device = this.ledger.devices.get(id)!;
    assert.ok(this.ledger.mayEnd(device, reason), `${instance.name} was signed out (${reason}), and nobody had asked for it`);
  }
}
