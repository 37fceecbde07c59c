// Asking the service again and again, while a screen is open.

import { useEffect, useRef, useState } from "react";

import { whenBack } from "./platform";

const interval = 10_000;

/** Calls `f` now, every ten seconds, and when there may be a connection again. */
export function useRepeated(f: () => void): void {
  const latest = useRef(f);
  latest.current = f;
  useEffect(() => {
    const call = () => latest.current();
    call();
    const timer = setInterval(call, interval);
    const stop = whenBack(call);
    return () => {
      clearInterval(timer);
      stop();
    };
  }, []);
}

export interface Answer<T> {
  /** The last answer there was. */
  answer?: T;
  /** Why there is no newer one. */
  error?: unknown;
  /** Asks at once. */
  again: () => Promise<void>;
}

/** What the service answers to `ask`, kept up to date. */
export function useAnswer<T>(ask: () => Promise<T>): Answer<T> {
  const [state, setState] = useState<{ answer?: T; error?: unknown }>({});
  const asked = useRef(0);
  const again = async () => {
    const own = ++asked.current;
    // A late answer to an earlier question says less than the next one.
    const keep = (next: (before: { answer?: T }) => typeof state) => own === asked.current && setState(next);
    await ask().then(
      (answer) => keep(() => ({ answer })),
      (error: unknown) => keep(({ answer }) => (answer === undefined ? { error } : { answer, error })),
    );
  };
  useRepeated(() => void again());
  return { ...state, again };
}
