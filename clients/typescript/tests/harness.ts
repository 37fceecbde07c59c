// What the tests control of a client's world: its network, its clock and its storage.

import { after, before } from "node:test";

import { Service } from "../../../tests/clients/service.ts";
import { type Client, type ClientOptions, createClient } from "../src/client.ts";
import type { Clock } from "../src/clock.ts";
import { memoryStorage, type Storage } from "../src/storage.ts";

export const password = "correct horse battery";

/** Milliseconds after which what has not come about never will. */
const patience = 30_000;

/** `promise`, which is rejected with `sentence` if it takes for ever: a test that hangs does not say what it waits for. */
function soon<T>(promise: Promise<T>, sentence: string): Promise<T> {
  const result = new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      // Tests may leave a call alone, as an app that is ended does.
      result.catch(() => {});
      reject(new Error(sentence));
    }, patience);
    timer.unref();
    void promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
  return result;
}

/** `object` whose methods, also those one level below, have to answer. */
function answering<T extends object>(object: T, name: string): T {
  return new Proxy(object, {
    get(_, key) {
      const found: unknown = Reflect.get(object, key);
      const path = `${name}.${String(key)}`;
      if (typeof found === "object" && found) return answering(found, path);
      if (typeof found !== "function") return found;
      return (...given: unknown[]) => {
        const answer: unknown = found.apply(object, given);
        return answer instanceof Promise ? soon(answer, `${path}() never answers`) : answer;
      };
    },
  });
}

/** The service of one test file. */
export function theService(): { url: string } {
  const found = { url: "" };
  let service: Service | undefined;
  before(async () => {
    service = await Service.start();
    found.url = service.url;
  });
  after(() => service?.stop());
  return found;
}

export interface Sent {
  /** Method and path below `/api/v1/`. */
  what: string;
  bearer: string | undefined;
  body: any;
}

interface Rule {
  matches(sent: Sent): boolean;
  answer(sent: Sent, pass: () => Promise<Response>): Promise<Response>;
}

/** A network whose failures a test decides. */
export class Network {
  readonly sent: Sent[] = [];
  /** Nothing arrives. */
  down = false;
  /** Requests of these kinds do not arrive. */
  readonly broken = new Set<string>();
  #rules: Rule[] = [];

  readonly fetch: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers);
    const sent: Sent = {
      what: `${init?.method ?? "GET"} ${String(input).replace(/^.*\/api\/v1\//, "")}`,
      bearer: headers.get("Authorization")?.replace(/^Bearer /, ""),
      body: typeof init?.body === "string" ? JSON.parse(init.body) : undefined,
    };
    this.sent.push(sent);
    if (this.down || this.broken.has(sent.what)) throw new TypeError("fetch failed");
    const pass = () => fetch(input, init);
    const at = this.#rules.findIndex((rule) => rule.matches(sent));
    if (at === -1) return pass();
    const [rule] = this.#rules.splice(at, 1);
    return rule!.answer(sent, pass);
  };

  /** How many requests of this kind were sent. */
  count(what: string): number {
    return this.sent.filter((sent) => sent.what === what).length;
  }

  /** Decides about the next request of this kind. */
  next(what: string, answer: Rule["answer"]): void {
    this.#rules.push({ matches: (sent) => sent.what === what, answer });
  }

  /** The next answer of this kind is lost. */
  lose(what: string): void {
    this.next(what, async (_, pass) => {
      await pass();
      throw new TypeError("connection lost");
    });
  }

  /** The next answer of this kind waits for `release`; `arrived` resolves when it is there. */
  hold(what: string): { arrived: Promise<void>; release: () => void } {
    let release = () => {};
    let arrive = () => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const arrived = new Promise<void>((resolve) => (arrive = resolve));
    this.next(what, async (_, pass) => {
      const answer = await pass();
      arrive();
      await released;
      return answer;
    });
    return { arrived: soon(arrived, `${what} is never answered`), release };
  }

  /** The next request of this kind is answered by somebody else. */
  fake(what: string, status: number, body: string | object, type = "application/problem+json"): void {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    this.next(what, async () => new Response(text, { status, headers: { "Content-Type": type } }));
  }
}

/** A problem as the service writes one. */
export const problem = (code: string, status: number) => ({
  type: `urn:rescind:problem:${code}`, title: "A problem", status, detail: "Something.", code, request_id: "r",
});

/** A clock that stands still until the test lets time pass. */
export class ManualClock implements Clock {
  #now = 1000;
  #timers: { at: number; f: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, f: () => void): () => void {
    const timer = { at: this.#now + ms, f };
    this.#timers.push(timer);
    return () => (this.#timers = this.#timers.filter((other) => other !== timer));
  }

  async pass(ms: number): Promise<void> {
    this.#now += ms;
    const due = this.#timers.filter(({ at }) => at <= this.#now);
    this.#timers = this.#timers.filter(({ at }) => at > this.#now);
    for (const { f } of due) f();
    await settled();
  }
}

/** Lets everything go on that waits for nothing but its turn. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Resolves as soon as `condition` holds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const begun = performance.now();
  while (!(await condition())) {
    if (performance.now() - begun > patience) throw new Error(`this never holds: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Waits for the next second: access tokens of one second are the same text. */
export const nextSecond = () => until(((begun) => () => Math.floor(Date.now() / 1000) !== begun)(Math.floor(Date.now() / 1000)));

/** A storage that answers with promises, as those of phones do. */
export function slowStorage(inner: Storage = memoryStorage()): Storage {
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    getItem: async (key) => (await turn(), inner.getItem(key)),
    setItem: async (key, text) => (await turn(), inner.setItem(key, text)),
    removeItem: async (key) => (await turn(), inner.removeItem(key)),
  };
}

/** A storage that keeps its next write waiting: `arrived` resolves when it is asked for, `release` does it. */
export function holdingStorage(inner: Storage) {
  let held: { arrive: () => void; released: Promise<void> } | undefined;
  const storage: Storage = {
    ...slowStorage(inner),
    async setItem(key, text) {
      const holding = held;
      held = undefined;
      holding?.arrive();
      await holding?.released;
      inner.setItem(key, text);
    },
  };
  const hold = () => {
    let release = () => {};
    let arrive = () => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const arrived = new Promise<void>((resolve) => (arrive = resolve));
    held = { arrive, released };
    return { arrived: soon(arrived, "nothing is written to the storage"), release };
  };
  return { storage, hold };
}

/** A storage and what is in it. */
export function openStorage(): { storage: Storage; texts: Map<string, string> } {
  const texts = new Map<string, string>();
  const storage: Storage = {
    getItem: (key) => texts.get(key) ?? null,
    setItem: (key, text) => texts.set(key, text),
    removeItem: (key) => texts.delete(key),
  };
  return { storage, texts };
}

export interface App {
  client: Client;
  network: Network;
  clock: ManualClock;
  reasons: string[];
}

/** An app instance with a network and a clock of its own. */
export function app(url: string, options: Partial<ClientOptions> = {}): App {
  const network = new Network();
  const clock = new ManualClock();
  const reasons: string[] = [];
  const client = createClient({
    url,
    storage: memoryStorage(),
    device: { name: "Ada's phone", kind: "mobile" },
    onSignedOut: (reason) => reasons.push(reason),
    fetch: network.fetch,
    clock,
    ...options,
  });
  return { client: answering(client, "client"), network, clock, reasons };
}

let users = 0;
export const newUser = () => `user ${process.pid} ${++users}`;

/** An app instance whose new user is signed in. */
export async function signedIn(url: string, options: Partial<ClientOptions> = {}): Promise<App & { username: string }> {
  const username = newUser();
  const made = app(url, options);
  await made.client.register(username, password);
  return { ...made, username };
}

/** The code that `promise` is rejected with. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    (value) => `resolved: ${JSON.stringify(value)}`,
    (error) => error.code ?? String(error),
  );
}
