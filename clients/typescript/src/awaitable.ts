// Values that may be there already, and steps on them that nothing comes between.

import { RescindError } from "./error.ts";

export type Awaitable<T> = T | PromiseLike<T>;

export function isPromise<T>(value: Awaitable<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

/**
 * Goes on with `f` at once if `value` is there. With a storage that answers at once, a read and the write that depends on
 * it are then one step, which no other tab comes between.
 */
export function then<T, U>(value: Awaitable<T>, f: (value: T) => Awaitable<U>): Awaitable<U> {
  return isPromise(value) ? value.then(f) : f(value);
}

/** What `f` gives, or what `otherwise` gives if it fails. */
export function rescue<T>(f: () => Awaitable<T>, otherwise: () => Awaitable<T>): Awaitable<T> {
  try {
    const value = f();
    return isPromise(value) ? value.then(undefined, otherwise) : value;
  } catch {
    return otherwise();
  }
}

/** Runs accesses to the storage one after the other; what fails is a `storage` error. */
export type Lock = <T>(access: () => Awaitable<T>) => Promise<T>;

export function createLock(): Lock {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(access: () => Awaitable<T>) => {
    const done = last.then(access).catch((cause: unknown): never => {
      throw new RescindError("storage", { title: "The storage failed", cause });
    });
    last = done.catch(() => {});
    return done;
  };
}
