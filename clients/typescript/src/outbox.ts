// The sign-outs that the service has to be told: a bounded queue in the storage.

import { type Awaitable, type Lock, rescue, then } from "./awaitable.ts";
import type { Clock } from "./clock.ts";
import { RescindError } from "./error.ts";
import type { Http } from "./http.ts";
import type { Session, SignedOutEverywhere } from "./openapi.ts";
import type { Storage } from "./storage.ts";

/** A sign-out of the device that `refresh` belongs to, or of all devices of its user. */
export interface SignOut {
  device: string;
  refresh: string;
  /** Spares a refresh before a sign-out of all devices. */
  access?: string;
  all?: true;
  /** How long the answer may wait for resource servers, as the service's parameter has it. */
  wait?: string | undefined;
}

/** What became of a sign-out; `delivered: false`: it waits in the queue. */
export interface SignedOutHere extends Partial<SignedOutEverywhere> {
  delivered: boolean;
}

export interface Outbox {
  /** Takes a sign-out up, under the lock. Never fails: what cannot be stored is kept in memory. */
  add(signOut: SignOut): Awaitable<unknown>;
  /** Whether a sign-out of this device waits, under the lock. */
  has(device: string): Awaitable<boolean>;
  /** Sends what waits. Gives the reason why no new sign-in may overtake what is left. */
  flush(): Promise<unknown>;
  /** Whether nothing is known to wait. */
  isEmpty(): boolean;
  /** Sends what waits if something is known to. */
  poke(): void;
  /** What becomes of the sign-out of `device` by the next flush. */
  outcome(device: string): Promise<SignedOutHere>;
}

/** Each sign-out has a key of its own: secure storages hold 2 KiB under one. */
const slots = 4;
const key = (slot: number) => `rescind.sign-out.${slot}`;

/** Refusals that say that no device of the user is signed in under the token's generation. */
const everywhere = ["signed_out_everywhere", "reset", "user_disabled"];
/** Refusals of an access token whose refresh token may be good. */
const renewable = ["token_expired", "superseded", "password_changed"];

const firstRetry = 1000;
const lastRetry = 60_000;

export function createOutbox(storage: Storage, http: Http, clock: Clock, lock: Lock): Outbox {
  /** Those that found no place in the storage. */
  let unsaved: SignOut[] = [];
  const waiting = new Map<string, (outcome: SignedOutHere | RescindError) => void>();
  let running: Promise<unknown> = Promise.resolve();
  /** How many are known to wait, and how many runs are under way or to come. */
  let left = 0;
  let busy = 0;
  let delay = firstRetry;
  let cancel = () => {};

  function find(matches: (found: SignOut | null) => boolean, slot = 0): Awaitable<number | undefined> {
    if (slot === slots) return undefined;
    return then(storage.getItem(key(slot)), (text) => (matches(parse(text)) ? slot : find(matches, slot + 1)));
  }
  const slotOf = (device: string) => find((found) => found?.device === device);

  const has = (device: string) =>
    then(slotOf(device), (slot) => slot !== undefined || unsaved.some((signOut) => signOut.device === device));

  function add(signOut: SignOut): Awaitable<unknown> {
    left++;
    const save = () =>
      then(slotOf(signOut.device), (own) =>
        then(own ?? find((found) => !found), (slot) => {
          if (slot === undefined) return void unsaved.push(signOut);
          return then(own === undefined ? null : storage.getItem(key(slot)), (text) =>
            // A sign-out of all devices stays one.
            storage.setItem(key(slot), JSON.stringify({ ...(parse(text)?.all && { all: true }), ...signOut })),
          );
        }),
      );
    return rescue<unknown>(save, () => unsaved.push(signOut));
  }

  /** Tells the service. `keep` stores new tokens before they are used. */
  async function deliver(
    signOut: SignOut,
    keep: (renewed: SignOut) => Promise<unknown>,
    attempts = 2,
  ): Promise<SignedOutEverywhere> {
    const { refresh, access, all, wait } = signOut;
    if (!all) return http("POST", "auth/logout", { body: { refresh } });
    const path = `auth/logout-all${wait ? `?wait=${encodeURIComponent(wait)}` : ""}`;
    try {
      if (access) return await http("POST", path, { bearer: access });
    } catch (error) {
      if (!renewable.includes((error as RescindError).code)) throw error;
      // An app that sleeps after each refresh finds the new token expired too. That is no answer to the sign-out.
      if (!attempts) throw new RescindError("network", { title: "No access token was accepted" });
    }
    const next = await http<Session>("POST", "auth/refresh", { body: { refresh } });
    const renewed = { ...signOut, refresh: next.refresh, access: next.access };
    await keep(renewed);
    return deliver(renewed, keep, attempts - 1);
  }

  /** Whether the sign-out is done with; `keep` as above. */
  async function settle(signOut: SignOut, keep: (renewed: SignOut) => Promise<unknown>): Promise<RescindError | undefined> {
    const tell = (outcome: SignedOutHere | RescindError) => waiting.get(signOut.device)?.(outcome);
    try {
      tell({ ...(await deliver(signOut, keep)), delivered: true });
    } catch (error) {
      const failure = error as RescindError;
      const { code, status } = failure;
      const again = code === "network" || code === "storage" || code === "unexpected_answer" || status >= 500 || status === 429;
      if (again) return failure;
      // A device that cannot be signed out is not signed in; of all devices that would not be known.
      tell(signOut.all && !everywhere.includes(code) ? failure : { signed_out: 0, delivered: true });
    }
    return undefined;
  }

  async function run(): Promise<unknown> {
    cancel();
    // What is added from here on may be overlooked below.
    left = 0;
    let failed = 0;
    let wait = 0;
    let blocking: unknown;
    const failing = (signOut: SignOut, failure: RescindError) => {
      failed++;
      wait = Math.max(wait, (failure.retryAfter ?? 0) * 1000);
      // Sent after the next sign-in, a sign-out of all devices would end that one too.
      if (signOut.all || failed === slots) blocking ??= failure;
    };
    for (let slot = 0; slot < slots; slot++) {
      let text = await lock(() => storage.getItem(key(slot)));
      const signOut = parse(text);
      if (!signOut) continue;
      const write = (renewed: SignOut | null) =>
        lock(() =>
          then(storage.getItem(key(slot)), (found) => {
            // Another tab has delivered it, and perhaps put another one here.
            if (found !== text) return undefined;
            text = renewed && JSON.stringify(renewed);
            return text ? storage.setItem(key(slot), text) : storage.removeItem(key(slot));
          }),
        );
      const failure = await settle(signOut, write);
      if (failure) failing(signOut, failure);
      else await write(null);
    }
    const kept = unsaved;
    unsaved = [];
    for (let signOut of kept) {
      const failure = await settle(signOut, async (renewed) => (signOut = renewed));
      if (!failure) continue;
      failing(signOut, failure);
      unsaved.push(signOut);
    }
    left += failed;
    delay = left ? Math.min(delay * 2, lastRetry) : firstRetry;
    if (left) cancel = clock.after(Math.max(delay, wait), () => void flush().catch(() => {}));
    return blocking;
  }

  function flush(): Promise<unknown> {
    busy++;
    const done = running.then(run).finally(() => busy--);
    running = done.catch(() => {});
    return done;
  }

  return {
    add,
    has,
    flush,
    isEmpty: () => !left,
    poke() {
      if (left && busy < 2) void flush().catch(() => {});
    },
    async outcome(device) {
      let outcome = undefined as SignedOutHere | RescindError | undefined;
      waiting.set(device, (told) => (outcome = told));
      await flush().catch(() => {});
      waiting.delete(device);
      if (outcome instanceof RescindError) throw outcome;
      // Another tab may have delivered it.
      return outcome ?? { delivered: !(await lock(() => has(device))) };
    },
  };
}

function parse(text: string | null | undefined): SignOut | null {
  try {
    const found = JSON.parse(text ?? "null");
    return found && typeof found.refresh === "string" ? found : null;
  } catch {
    return null;
  }
}
