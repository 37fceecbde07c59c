// Time as an argument: what the client knows of time, and the timers it sets.

/** A monotonic clock with timers. */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. */
  now(): number;
  /** Calls `f` once after `ms` milliseconds, unless the function it returns is called before. */
  after(ms: number, f: () => void): () => void;
}

/** A clock that is never set back: `Date.now` as a fallback stands still until it has caught up. */
function monotonic(): () => number {
  if (typeof performance !== "undefined" && performance.now) return () => performance.now();
  let last = 0;
  return () => (last = Math.max(last, Date.now()));
}

/** The clock of this machine. */
export const systemClock = (): Clock => ({
  now: monotonic(),
  after(ms, f) {
    const timer: unknown = setTimeout(f, ms);
    // In Node.js a timer must not keep the process from ending.
    (timer as { unref?: () => void }).unref?.();
    return () => clearTimeout(timer as number);
  },
});
