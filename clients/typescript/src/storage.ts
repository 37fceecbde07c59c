// Where an app keeps its session: one interface, and the adapters of the storages that apps have.

import type { Awaitable } from "./awaitable.ts";

/**
 * A storage of texts by key. Methods may answer at once or with a promise. One that answers at once (Web Storage) is read
 * before every request, so that a change by another tab counts at once; one that answers with a promise is read when the
 * client starts, before each refresh and before each refreshed session is written.
 *
 * Keys have letters, digits, `.`, `_` and `-`; a text has at most 2,048 bytes unless a username is very long.
 */
export interface Storage {
  getItem(key: string): Awaitable<string | null | undefined>;
  setItem(key: string, text: string): Awaitable<unknown>;
  removeItem(key: string): Awaitable<unknown>;
  /** Calls `changed` when another tab or process may have changed something. */
  watch?(changed: () => void): void;
}

/** A storage that is gone with the process. */
export function memoryStorage(): Storage {
  const texts = new Map<string, string>();
  return {
    getItem: (key) => texts.get(key),
    setItem: (key, text) => texts.set(key, text),
    removeItem: (key) => texts.delete(key),
  };
}

/** A part of the DOM's `Storage`. */
export interface WebStorage {
  getItem(key: string): string | null;
  setItem(key: string, text: string): void;
  removeItem(key: string): void;
}

/** `localStorage` or `sessionStorage`. */
export function webStorage(storage: WebStorage): Storage {
  return {
    getItem: (key) => storage.getItem(key),
    setItem: (key, text) => storage.setItem(key, text),
    removeItem: (key) => storage.removeItem(key),
    watch(changed) {
      const { addEventListener } = globalThis as { addEventListener?: (type: string, listener: () => void) => void };
      addEventListener?.("storage", changed);
    },
  };
}

/** A part of `@react-native-async-storage/async-storage`. It is not encrypted: prefer a keychain. */
export interface AsyncStorage {
  getItem(key: string): Promise<string | null>;
  setItem(key: string, text: string): Promise<void>;
  removeItem(key: string): Promise<void>;
}

/** `@react-native-async-storage/async-storage`. */
export function asyncStorage(storage: AsyncStorage): Storage {
  return {
    getItem: (key) => storage.getItem(key),
    setItem: (key, text) => storage.setItem(key, text),
    removeItem: (key) => storage.removeItem(key),
  };
}

/** A part of `expo-secure-store`. */
export interface SecureStore {
  getItemAsync(key: string, options?: object): Promise<string | null>;
  setItemAsync(key: string, text: string, options?: object): Promise<void>;
  deleteItemAsync(key: string, options?: object): Promise<void>;
}

/** `expo-secure-store`; `options` are passed with every call. */
export function secureStorage(store: SecureStore, options?: object): Storage {
  return {
    getItem: (key) => store.getItemAsync(key, options),
    setItem: (key, text) => store.setItemAsync(key, text, options),
    removeItem: (key) => store.deleteItemAsync(key, options),
  };
}

/** A part of `react-native-keychain`. */
export interface Keychain {
  getGenericPassword(options: { service: string }): Promise<false | { password: string }>;
  setGenericPassword(username: string, password: string, options: { service: string }): Promise<unknown>;
  resetGenericPassword(options: { service: string }): Promise<unknown>;
}

/** `react-native-keychain`; `options` are passed with every call. */
export function keychainStorage(keychain: Keychain, options?: object): Storage {
  const at = (key: string) => ({ ...options, service: key });
  return {
    getItem: async (key) => {
      const found = await keychain.getGenericPassword(at(key));
      return found ? found.password : null;
    },
    setItem: (key, text) => keychain.setGenericPassword("rescind", text, at(key)),
    removeItem: (key) => keychain.resetGenericPassword(at(key)),
  };
}
