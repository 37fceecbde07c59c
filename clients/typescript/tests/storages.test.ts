// The ready-made storages over the libraries that apps pass in.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { AsyncStorageStatic } from "@react-native-async-storage/async-storage";
import type * as SecureStore from "expo-secure-store";
import type * as Keychain from "react-native-keychain";

import {
  asyncStorage, keychainStorage, memoryStorage, secureStorage, type Storage, webStorage,
} from "../src/storage.ts";
import { app, openStorage, signedIn, theService } from "./harness.ts";

const service = theService();

// The type checker is a part of this test: each storage takes its library as it is published, which does not run here.
const takesSecureStore = (library: typeof SecureStore, options: SecureStore.SecureStoreOptions) =>
  secureStorage(library, options);
const takesKeychain = (library: typeof Keychain, options: Keychain.SetOptions & Keychain.GetOptions) =>
  keychainStorage(library, options);
const takesAsyncStorage = (library: AsyncStorageStatic) => asyncStorage(library);

/** Expo's rules: which keys it takes, and how much under one. */
function secureStore(texts: Map<string, string>) {
  const check = (key: string, options: SecureStore.SecureStoreOptions | undefined) => {
    assert.match(key, /^[\w.-]+$/);
    assert.deepEqual(options, { keychainService: "app" });
  };
  return {
    getItemAsync: async (key, options) => (check(key, options), texts.get(key) ?? null),
    async setItemAsync(key, text, options) {
      check(key, options);
      assert.ok(Buffer.byteLength(text) <= 2048, `${Buffer.byteLength(text)} bytes`);
      texts.set(key, text);
    },
    deleteItemAsync: async (key, options) => (check(key, options), void texts.delete(key)),
  } satisfies Partial<typeof SecureStore>;
}

function keychain(texts: Map<string, string>) {
  const at = (options: Keychain.BaseOptions = {}) => {
    const { service = "", ...others } = options;
    assert.deepEqual(others, { accessGroup: "app" });
    return service;
  };
  const storage = "keychain" as Keychain.STORAGE_TYPE;
  return {
    async getGenericPassword(options) {
      const [service, password] = [at(options), texts.get(at(options))];
      return password === undefined ? false : { username: "rescind", password, service, storage };
    },
    async setGenericPassword(username, password, options) {
      assert.ok(username.length > 0);
      texts.set(at(options), password);
      return { service: at(options), storage };
    },
    resetGenericPassword: async (options) => texts.delete(at(options)),
  } satisfies Partial<typeof Keychain>;
}

const storages: Record<string, (texts: Map<string, string>) => Storage> = {
  "Web Storage": (texts) =>
    webStorage({
      getItem: (key) => texts.get(key) ?? null,
      setItem: (key, text) => void texts.set(key, text),
      removeItem: (key) => void texts.delete(key),
    }),
  AsyncStorage: (texts) =>
    takesAsyncStorage({
      getItem: async (key) => texts.get(key) ?? null,
      setItem: async (key, text) => void texts.set(key, text),
      removeItem: async (key) => void texts.delete(key),
    } satisfies Partial<AsyncStorageStatic> as AsyncStorageStatic),
  "expo-secure-store": (texts) =>
    takesSecureStore(secureStore(texts) as unknown as typeof SecureStore, { keychainService: "app" }),
  "react-native-keychain": (texts) =>
    takesKeychain(keychain(texts) as unknown as typeof Keychain, { accessGroup: "app" }),
};

for (const [name, make] of Object.entries(storages)) {
  test(`${name} keeps a session through a restart and a sign-out until it is told`, async () => {
    const texts = new Map<string, string>();
    const { client, username } = await signedIn(service.url, { storage: make(texts) });
    await client.me();
    const restarted = app(service.url, { storage: make(texts) });
    assert.equal((await restarted.client.session())?.user.username, username);
    restarted.network.down = true;
    await restarted.client.logoutAll({ wait: "1s" });
    assert.equal(texts.size, 1);
    const again = app(service.url, { storage: make(texts) });
    await again.client.flush();
    assert.equal(texts.size, 0);
  });
}

test("memory forgets", async () => {
  const storage = memoryStorage();
  await signedIn(service.url, { storage });
  assert.notEqual(await app(service.url, { storage }).client.session(), null);
  assert.equal(await app(service.url, { storage: memoryStorage() }).client.session(), null);
});

test("Web Storage tells of changes by other tabs", (context) => {
  const listeners: [string, () => void][] = [];
  const scope = globalThis as { addEventListener?: unknown };
  scope.addEventListener = (type: string, listener: () => void) => listeners.push([type, listener]);
  context.after(() => delete scope.addEventListener);
  const changed = context.mock.fn();
  webStorage({ getItem: () => null, setItem() {}, removeItem() {} }).watch?.(changed);
  assert.equal(listeners[0]?.[0], "storage");
  listeners[0]?.[1]();
  assert.equal(changed.mock.callCount(), 1);
});

test("texts that are no session are none", async () => {
  for (const text of ["", "{", "null", "[]", '{"access":1}', "v4.public.x"]) {
    const { storage, texts } = openStorage();
    texts.set("rescind.session", text);
    texts.set("rescind.sign-out.0", text);
    const { client } = await signedIn(service.url, { storage });
    await client.logout();
    assert.equal(texts.has("rescind.session"), false);
  }
});
