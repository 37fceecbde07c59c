// The session of one app instance: which tokens it acts with, when they are replaced, and how it ends.

import { type Awaitable, type Lock, isPromise, rescue, then } from "./awaitable.ts";
import type { Clock } from "./clock.ts";
import { RescindError } from "./error.ts";
import type { Http } from "./http.ts";
import type { Session, SignedOutOthers } from "./openapi.ts";
import type { Outbox, SignOut } from "./outbox.ts";
import type { Storage } from "./storage.ts";
import {
  isEnded, isFinal, parse, sessionKey, type SignedIn, type SignedOutReason, signOut, type Stored, stored, whole,
} from "./stored.ts";

export interface SessionParts {
  http: Http;
  storage: Storage;
  outbox: Outbox;
  clock: Clock;
  lock: Lock;
  /** Milliseconds to wait for the new tokens of another tab that changes the password. */
  timeout: number;
  onSignedOut: (reason: SignedOutReason) => void;
  onChange: (session: SignedIn | null) => void;
}

const pollInterval = 100;

export type SessionState = ReturnType<typeof createSession>;

export function createSession({ http, storage, outbox, clock, lock, timeout, onSignedOut, onChange }: SessionParts) {
  /** What this instance acts with, and its text in the storage when it was last seen. */
  let held: Stored | null = null;
  let text: string | null = null;
  /** Times on the clock: from when on to refresh while the access token still works, and when it has expired. */
  let early = 0;
  let late = 0;
  /** Raised by every sign-in, sign-out and end here: what began before must not write. */
  let epoch = 0;
  let signOuts = 0;
  let changes = 0;
  /** Whether the storage answers at once. */
  let immediate = false;
  let refreshing: Promise<void> | undefined;

  const get = () => storage.getItem(sessionKey);
  const remove = () => storage.removeItem(sessionKey);
  const write = (stored: Stored, since: number, wanted: () => boolean): Awaitable<boolean> => {
    const written = JSON.stringify(stored);
    return then(storage.setItem(sessionKey, written), () => wanted() && hold(written, stored, since));
  };

  /** Acts with `next` from now on, whose access token was asked for at `since`. */
  function hold(written: string | null, next: Stored | null, since: number): true {
    const before = held;
    // Access tokens that were made in the same second are the same text; refresh tokens never are.
    if (next && (next.access !== before?.access || next.refresh !== before.refresh)) {
      const lifetime = next.expires_in * 1000;
      late = since + lifetime;
      early = late - Math.min(60_000, lifetime / 5);
    }
    text = written;
    held = next;
    if (before?.device !== next?.device) call(() => onChange(next && { user: next.user, device: { id: next.device } }));
    return true;
  }

  /** Calls the app; an error of its own is reported as uncaught, and changes nothing here. */
  function call(app: () => void): void {
    try {
      app();
    } catch (error) {
      clock.after(0, () => {
        throw error;
      });
    }
  }

  /** Takes over what is stored. */
  function adopt(found: string | null | undefined): void {
    if (found === text) return;
    const before = held;
    const next = parse(found);
    hold(next && (found as string), next, clock.now());
    if (!before || next) return;
    epoch++;
    void learnReason(before);
  }

  /** Another tab has removed the session: asks the service why it ended. */
  async function learnReason({ access }: Stored): Promise<void> {
    void outbox.flush().catch(() => {});
    const code = await http("GET", "auth/me", { bearer: access }).then(() => "", ({ code }: RescindError) => code);
    if (!held) call(() => onSignedOut(isEnded(code) ? code : "signed_out"));
  }

  async function load(): Promise<void> {
    const begun = epoch;
    await lock(() => {
      const found = get();
      immediate = !isPromise(found);
      return then(found, (text) => {
        const stored = parse(text);
        if (begun !== epoch || !stored) return;
        // The app was ended in the middle of a sign-out.
        return then(outbox.has(stored.device), (leaving) => (leaving ? remove() : begun === epoch && adopt(text)));
      });
    });
    void outbox.flush().catch(() => {});
  }

  /** Reads the storage, and takes over what another tab has changed. */
  async function sync(): Promise<void> {
    const begun = epoch;
    await lock(() => then(get(), (found) => begun === epoch && adopt(found ?? null)));
  }

  /** Refreshes once for all that wait. Resolves when the tokens were replaced, by this tab or another, or are gone. */
  function refresh(): Promise<void> {
    return (refreshing ??= renew().finally(() => (refreshing = undefined)));
  }

  async function renew(): Promise<void> {
    const begun = epoch;
    const stale = held;
    await sync();
    const old = held;
    const oldText = text;
    if (!old || begun !== epoch || old.access !== stale?.access || old.refresh !== stale.refresh) return;
    const since = clock.now();
    let answer: Session;
    try {
      answer = whole(await http<Session>("POST", "auth/refresh", { body: { refresh: old.refresh } }));
    } catch (error) {
      const { code } = error as RescindError;
      if (!isFinal(code)) throw error;
      return refused(error as RescindError, code, begun, oldText);
    }
    await lock(() =>
      then(get(), (found) => {
        if (begun !== epoch) return undefined;
        if (found !== oldText) return adopt(found ?? null);
        return write({ ...stored(answer), changing: old.changing }, since, () => begun === epoch);
      }),
    );
  }

  /** The refresh token in `oldText` was refused: ends the session unless there are newer tokens. */
  async function refused(
    error: RescindError,
    reason: SignedOutReason,
    begun: number,
    oldText: string | null,
  ): Promise<void> {
    const until = clock.now() + timeout;
    const decide = (found: string | null | undefined): Awaitable<"wait" | "newer" | "over"> => {
      if (begun !== epoch) return "newer";
      if (found && found !== oldText) return adopt(found), "newer";
      const changing = changes || (immediate && held?.changing);
      if (found && reason === "password_changed" && changing && clock.now() < until) return "wait";
      epoch++;
      hold(null, null, 0);
      // Before it is removed: an app that is ended in between learns it after its restart.
      call(() => onSignedOut(reason));
      return then(remove(), () => "over");
    };
    for (;;) {
      const decision = await lock(() => then(get(), decide));
      if (decision === "newer") return;
      if (decision === "over") throw error;
      await new Promise<void>((resolve) => void clock.after(pollInterval, resolve));
    }
  }

  /** An access token that should work and is not `refused`; null if nobody is signed in. */
  async function access(refused?: string): Promise<string | null> {
    outbox.poke();
    await loaded();
    if (immediate || refused) await sync();
    for (let attempts = 0; held && attempts < 3; attempts++) {
      const now = clock.now();
      if (held.access !== refused && now < late) {
        if (now >= early) void refresh().catch(() => {});
        break;
      }
      await refresh();
      refused = undefined;
    }
    return (held as Stored | null)?.access ?? null;
  }

  /** Holds the session that a sign-in has opened, and signs out of the one before. */
  async function open(send: (previous: string | undefined) => Promise<Session>): Promise<SignedIn> {
    await loaded();
    // Should the service end these later, it would end the new one with them.
    const blocking = await outbox.flush();
    if (blocking) throw blocking;
    const begun = signOuts;
    const since = clock.now();
    const answer = whole(await send(held?.refresh));
    const next = stored(answer);
    const leave = () => outbox.add(signOut(next));
    const opened = await lock(() => {
      if (begun !== signOuts) return then(leave(), () => false);
      const own = ++epoch;
      const keep = () =>
        then(get(), (found) => {
          const previous = parse(found);
          const left = previous && previous.device !== next.device ? outbox.add(signOut(previous)) : undefined;
          return then(left, () => then(write(next, since, () => own === epoch), () => true));
        });
      return rescue(keep, () => then(leave(), () => Promise.reject(new Error("the session could not be stored"))));
    }).finally(outbox.poke);
    if (!opened) throw signedOutMeanwhile();
    return { user: next.user, device: { id: next.device } };
  }

  /** Ends the session here, and puts what the service has to be told into the queue. Gives the device. */
  function leave(more?: Pick<SignOut, "all" | "wait">): Promise<string | undefined> {
    const before = forget();
    const found = () => rescue<Stored | null>(() => then(get(), (found) => parse(found) ?? before), () => before);
    const remember = (session: Stored) =>
      outbox.add({ ...signOut(session), ...(more?.all && { access: session.access, ...more }) });
    return lock(() =>
      // What is kept in the queue first cannot be forgotten by an app that is ended in between.
      then(found(), (session) =>
        then(session && remember(session), () => then(remove(), () => session?.device)),
      ),
    ).catch((error: unknown) => {
      outbox.poke();
      throw error;
    });
  }

  /** What is under way must not write any more. */
  function forget(): Stored | null {
    const before = held;
    epoch++;
    signOuts++;
    hold(null, null, 0);
    return before;
  }

  /** Drops the session, of which the service knows that it has ended. */
  function drop(): Promise<unknown> {
    forget();
    return lock(remove);
  }

  /** Replaces parts of the stored session of `device`, if nobody has signed out of it meanwhile. */
  function update(device: string, begun: number, since: number, change: (stored: Stored) => Stored): Promise<boolean> {
    return lock(() =>
      then(get(), (found) => {
        const current = parse(found);
        if (begun !== signOuts || current?.device !== device) return false;
        return then(write(change(current), since, () => begun === signOuts), () => true);
      }),
    );
  }

  /** Sends a change of the password and holds the tokens it brings. */
  async function changePassword<T extends { session: Session }>(send: () => Promise<T>): Promise<T> {
    await access();
    const begun = signOuts;
    const device = held?.device;
    if (!device) throw notSignedIn();
    const mark = (changing?: true) => update(device, begun, clock.now(), (current) => ({ ...current, changing }));
    changes++;
    try {
      await mark(true);
      const since = clock.now();
      const answer = await send().catch(async (error: unknown) => {
        await mark().catch(() => {});
        throw error;
      });
      const next = stored(whole(answer.session));
      if (await update(next.device, begun, since, () => next)) return answer;
      // The sign-out that came meanwhile was sent with a token from before: this one it has to be.
      await lock(() => outbox.add(signOut(next)));
      throw signedOutMeanwhile();
    } finally {
      changes--;
      outbox.poke();
    }
  }

  /** Holds the access token that a sign-out of all other devices brings. */
  async function logoutOthers(send: () => Promise<SignedOutOthers>): Promise<SignedOutOthers> {
    await access();
    const begun = signOuts;
    const device = held?.device;
    if (!device) throw notSignedIn();
    const since = clock.now();
    const answer = await send();
    const { access: renewed, expires_in } = answer;
    await update(device, begun, since, (current) => ({ ...current, access: renewed, expires_in }));
    return answer;
  }

  async function current(): Promise<SignedIn | null> {
    await loaded();
    if (immediate) await sync();
    return held && { user: held.user, device: { id: held.device } };
  }

  /** A storage that cannot be read says nothing about the session: the next call tries again. */
  let loading: Promise<void> | undefined;
  function loaded(): Promise<void> {
    return (loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    }));
  }
  void loaded().catch(() => {});
  storage.watch?.(() => void loaded().then(sync).catch(() => {}));

  return { access, changePassword, current, drop, leave, logoutOthers, open };
}

export const notSignedIn = () => new RescindError("not_signed_in", { title: "Nobody is signed in here" });
const signedOutMeanwhile = () => new RescindError("not_signed_in", { title: "Signed out meanwhile" });
