// The ready-made storages over the libraries that apps pass in.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  asyncStorage, keychainStorage, memoryStorage, secureStorage, type Storage, webStorage,
} from "../src/storage.ts";
import { app, openStorage, signedIn, theService } from "./harness.ts";

const service = theService();

/** Expo's rules: which keys it takes, and how much under one. */
function secureStore(texts: Map<string, string>) {
  const check = (key: string) => assert.match(key, /^[\w.-]+$/);
  return {
    getItemAsync: async (key: string) => (check(key), texts.get(key) ?? null),
    async setItemAsync(key: string, text: string, options?: object) {
      check(key);
      assert.deepEqual(options, { keychainService: "app" });
      assert.ok(Buffer.byteLength(text) <= 2048, `${Buffer.byteLength(text)} bytes`);
      texts.set(key, text);
    },
    deleteItemAsync: async (key: string) => void texts.delete(key),
  };
}

function keychain(texts: Map<string, string>) {
  return {
    async getGenericPassword({ service }: { service: string }) {
      const password = texts.get(service);
      return password === undefined ? (false as const) : { username: "rescind", password, service, storage: "keychain" };
    },
    async setGenericPassword(username: string, password: string, { service }: { service: string }) {
      assert.ok(username.length > 0);
      texts.set(service, password);
      return { service, storage: "keychain" };
    },
    resetGenericPassword: async ({ service }: { service: string }) => texts.delete(service),
  };
}

const storages: Record<string, (texts: Map<string, string>) => Storage> = {
  "Web Storage": (texts) =>
    webStorage({
      getItem: (key) => texts.get(key) ?? null,
      setItem: (key, text) => void texts.set(key, text),
      removeItem: (key) => void texts.delete(key),
    }),
  AsyncStorage: (texts) =>
    asyncStorage({
      getItem: async (key) => texts.get(key) ?? null,
      setItem: async (key, text) => void texts.set(key, text),
      removeItem: async (key) => void texts.delete(key),
    }),
  "expo-secure-store": (texts) => secureStorage(secureStore(texts), { keychainService: "app" }),
  "react-native-keychain": (texts) => keychainStorage(keychain(texts)),
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
