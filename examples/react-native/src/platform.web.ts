// What differs between a phone and a browser: this file is the browser's.

import { type DeviceInput, memoryStorage, type Storage, webStorage } from "@rescind/client";

/** Where the tokens are: for all tabs of this site, or in memory where the browser keeps nothing. */
export const storage: Storage = stored();

function stored(): Storage {
  try {
    return webStorage(localStorage);
  } catch {
    return memoryStorage();
  }
}

/** The languages that the user prefers, best first, as in `fr-CA`. */
export const languages = (): readonly string[] => navigator.languages;

/** What this device is called in the list of devices. The service adds the browser's name. */
export const device: DeviceInput = { kind: "browser" };

/** The height of the system's bar, in which nothing may stand. */
export const topInset = 0;

/** Calls `listener` when there may be a connection again. */
export function whenBack(listener: () => void): () => void {
  const seen = () => document.visibilityState === "visible" && listener();
  addEventListener("online", listener);
  document.addEventListener("visibilitychange", seen);
  return () => {
    removeEventListener("online", listener);
    document.removeEventListener("visibilitychange", seen);
  };
}

/** Calls `leave` when the user presses the phone's back button, which a browser has for its own pages. */
export const whenLeft = (_leave: () => void) => () => {};

/** Names the page for browsers and screen readers. */
export function namePage(title: string, language: string): void {
  document.title = title;
  document.documentElement.lang = language;
}
