// How tokens are replaced: each rule once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { final, sessionKey } from "../src/stored.ts";
import {
  app, holdingStorage, newUser, nextSecond, openStorage, password, problem, refusal, settled, signedIn, slowStorage, theService,
  until,
} from "./harness.ts";

const service = theService();
const expired = 20 * 60_000;

test("one refresh is in flight however many requests wait", async () => {
  for (const storage of [openStorage().storage, slowStorage()]) {
    const { client, network, clock } = await signedIn(service.url, { storage });
    await clock.pass(expired);
    await Promise.all(Array.from({ length: 20 }, () => client.me()));
    assert.equal(network.count("POST auth/refresh"), 1);
  }
});

test("requests that are refused with the same token share one refresh", async () => {
  const { client, network, username } = await signedIn(service.url);
  const other = app(service.url);
  await other.client.login(username, password);
  await other.client.logoutOthers();
  const again = app(service.url);
  await again.client.login(username, password);
  // The access token of a device that asked for it is superseded if the answer is lost.
  again.network.lose("POST auth/logout-others");
  assert.equal(await refusal(again.client.logoutOthers()), "network");
  await Promise.all(Array.from({ length: 20 }, () => again.client.me()));
  assert.equal(again.network.count("POST auth/refresh"), 1);
  assert.equal(await refusal(client.me()), "signed_out_everywhere");
  assert.equal(network.count("POST auth/refresh"), 1);
});

test("a refresh outlives the caller that is cancelled", async () => {
  const { client, network, clock } = await signedIn(service.url);
  await clock.pass(expired);
  const held = network.hold("POST auth/refresh");
  const controller = new AbortController();
  const cancelled = client.me({ signal: controller.signal });
  const patient = client.me();
  await held.arrived;
  controller.abort();
  assert.equal(await refusal(cancelled), DOMException.ABORT_ERR);
  held.release();
  await patient;
  await client.me();
  assert.equal(network.count("POST auth/refresh"), 1);
});

test("what another tab has stored is taken over", async () => {
  const { storage } = openStorage();
  const one = await signedIn(service.url, { storage });
  const two = app(service.url, { storage });
  await two.client.me();
  await one.clock.pass(expired);
  await two.clock.pass(expired);
  await one.client.me();
  const renewed = one.network.sent.at(-1)?.bearer;
  await two.client.me();
  assert.equal(two.network.count("POST auth/refresh"), 0);
  assert.equal(two.network.sent.at(-1)?.bearer, renewed);
});

test("tabs that refresh at the same time both go on, with what is stored", async () => {
  const { storage, texts } = openStorage();
  const one = await signedIn(service.url, { storage });
  const two = app(service.url, { storage });
  await two.client.me();
  await one.clock.pass(expired);
  await two.clock.pass(expired);
  const held = [one.network.hold("POST auth/refresh"), two.network.hold("POST auth/refresh")];
  const calls = [one.client.me(), two.client.me()];
  await Promise.all(held.map(({ arrived }) => arrived));
  held.forEach(({ release }) => release());
  await Promise.all(calls);
  const { access } = JSON.parse(texts.get(sessionKey)!);
  assert.deepEqual([one.network.sent.at(-1)?.bearer, two.network.sent.at(-1)?.bearer], [access, access]);
});

test("what another process has stored in a slow storage is taken over before a refresh", async () => {
  const { storage } = openStorage();
  const one = await signedIn(service.url, { storage: slowStorage(storage) });
  const two = app(service.url, { storage: slowStorage(storage) });
  await two.client.me();
  await one.clock.pass(expired);
  await two.clock.pass(expired);
  await one.client.me();
  await two.client.me();
  assert.equal(two.network.count("POST auth/refresh"), 0);
});

test("new tokens are stored before they are used", async () => {
  const { storage: inner, texts } = openStorage();
  const { storage, hold } = holdingStorage(inner);
  const { client, network, clock } = await signedIn(service.url, { storage });
  await clock.pass(expired);
  const write = hold();
  const calls = [client.me()];
  await write.arrived;
  calls.push(client.me());
  await settled();
  assert.equal(network.count("GET auth/me"), 0);
  write.release();
  await Promise.all(calls);
  assert.equal(network.sent.at(-1)?.bearer, JSON.parse(texts.get(sessionKey)!).access);
});

test("tokens that cannot be stored are not used, and the session goes on with the old ones", async () => {
  const { storage } = openStorage();
  let full = false;
  const setItem = (key: string, text: string) => {
    if (full) throw new Error(`no space for ${text}`);
    storage.setItem(key, text);
  };
  const { client, network, clock, reasons } = await signedIn(service.url, { storage: { ...storage, setItem } });
  await clock.pass(expired);
  full = true;
  assert.equal(await refusal(client.me()), "storage");
  assert.equal(network.count("GET auth/me"), 0);
  full = false;
  await client.me();
  assert.deepEqual(reasons, []);
});

test("a refresh that finds the storage changed drops its own result", async () => {
  const { storage, texts } = openStorage();
  const { client, network, clock } = await signedIn(service.url, { storage });
  const other = app(service.url, { storage });
  await clock.pass(expired);
  const held = network.hold("POST auth/refresh");
  const call = client.me();
  await held.arrived;
  await other.client.register(newUser(), password);
  const stored = texts.get(sessionKey);
  held.release();
  await call;
  assert.equal(texts.get(sessionKey), stored);
  assert.equal(network.sent.at(-1)?.bearer, JSON.parse(stored!).access);
});

test("a sign-out during a refresh wins", async () => {
  for (const immediate of [true, false]) {
    const { storage, texts } = openStorage();
    const made = await signedIn(service.url, { storage: immediate ? storage : slowStorage(storage) });
    const { client, network, clock, reasons } = made;
    await clock.pass(expired);
    const held = network.hold("POST auth/refresh");
    const call = refusal(client.me());
    await held.arrived;
    const left = client.logout();
    held.release();
    assert.deepEqual(await left, { delivered: true, signed_out: 1 });
    assert.equal(await call, "not_signed_in");
    assert.deepEqual([...texts.keys()], []);
    assert.equal(await client.session(), null);
    assert.deepEqual(reasons, []);
  }
});

test("a sign-out while refreshed tokens are being written wins", async () => {
  const { storage: inner, texts } = openStorage();
  const { storage, hold } = holdingStorage(inner);
  const { client, clock } = await signedIn(service.url, { storage });
  await clock.pass(expired);
  const write = hold();
  const call = refusal(client.me());
  await write.arrived;
  const left = client.logout();
  write.release();
  assert.deepEqual(await left, { delivered: true, signed_out: 1 });
  assert.equal(await call, "not_signed_in");
  assert.deepEqual([...texts.keys()], []);
});

test("a refresh that failed early leaves a still valid session alone", async () => {
  const { client, network, clock, reasons } = await signedIn(service.url);
  await clock.pass(14.5 * 60_000);
  network.lose("POST auth/refresh");
  await client.me();
  await until(() => network.count("POST auth/refresh") === 1);
  await client.me();
  assert.deepEqual(reasons, []);
});

test("an early refresh keeps nobody waiting", async () => {
  const { client, network, clock } = await signedIn(service.url);
  await clock.pass(14.5 * 60_000);
  const held = network.hold("POST auth/refresh");
  await client.me();
  await held.arrived;
  held.release();
  await settled();
});

test("neither a network failure nor an answer of somebody else is a sign-out", async () => {
  const { client, network, clock, reasons } = await signedIn(service.url);
  await clock.pass(expired);
  const login = "<html>Welcome to the hotel</html>";
  for (const status of [200, 401, 403, 404, 500, 502, 511]) network.fake("POST auth/refresh", status, login, "text/html");
  for (const status of [200, 401]) network.fake("POST auth/refresh", status, { detail: "signed_out" }, "application/json");
  for (let answers = 0; answers < 9; answers++) assert.equal(await refusal(client.me()), "unexpected_answer");
  network.lose("POST auth/refresh");
  assert.equal(await refusal(client.me()), "network");
  network.down = true;
  assert.equal(await refusal(client.me()), "network");
  network.down = false;
  const held = network.hold("POST auth/refresh");
  const hanging = refusal(client.me());
  await held.arrived;
  await clock.pass(30_000);
  assert.equal(await hanging, "network");
  await client.me();
  assert.deepEqual(reasons, []);
});

test("only final codes of the service end a session, each once", async () => {
  for (const code of final) {
    const { storage, texts } = openStorage();
    const { client, network, clock, reasons } = await signedIn(service.url, { storage });
    await clock.pass(expired);
    network.fake("POST auth/refresh", 401, problem(code, 401));
    const calls = await Promise.all(Array.from({ length: 20 }, () => refusal(client.me())));
    assert.deepEqual([...new Set(calls)], [code]);
    assert.equal(await refusal(client.me()), "not_signed_in");
    assert.deepEqual(reasons, [code]);
    assert.deepEqual([...texts.keys()], []);
  }
  const others: [string, number][] = [["unavailable", 503], ["timeout", 503], ["internal", 500], ["invalid_request", 400]];
  for (const [code, status] of [...others, ["some_new_code", 401] as const]) {
    const { client, network, clock, reasons } = await signedIn(service.url);
    await clock.pass(expired);
    network.fake("POST auth/refresh", status, problem(code, status));
    assert.equal(await refusal(client.me()), code);
    await client.me();
    assert.deepEqual(reasons, []);
  }
});

test("a token that a server refuses for reasons of its own is no sign-out", async () => {
  const { client, network, reasons } = await signedIn(service.url);
  network.fake("GET auth/me", 401, problem("signed_out", 401));
  network.fake("GET auth/me", 401, problem("signed_out", 401));
  await nextSecond();
  assert.equal(await refusal(client.me()), "signed_out");
  await client.me();
  assert.equal(network.count("POST auth/refresh"), 1);
  assert.deepEqual(reasons, []);
});

test("a refused refresh is not final while newer tokens are stored", async () => {
  const { storage, texts } = openStorage();
  const { client, network, clock, reasons } = await signedIn(service.url, { storage });
  const other = app(service.url, { storage });
  await clock.pass(expired);
  network.next("POST auth/refresh", async () => {
    await other.client.changePassword(password, "staple engine tulip");
    return new Response(JSON.stringify(problem("password_changed", 401)), { status: 401 });
  });
  await client.me();
  assert.deepEqual(reasons, []);
  assert.equal(network.sent.at(-1)?.bearer, JSON.parse(texts.get(sessionKey)!).access);
});

test("a change of the password in another tab is waited for", async () => {
  const { storage } = openStorage();
  const { client, network, clock, reasons } = await signedIn(service.url, { storage });
  const other = app(service.url, { storage });
  const held = other.network.hold("POST auth/password");
  const changed = other.client.changePassword(password, "staple engine tulip");
  await held.arrived;
  await clock.pass(expired);
  const refresh = network.hold("POST auth/refresh");
  const call = client.me();
  await refresh.arrived;
  refresh.release();
  await settled();
  held.release();
  await changed;
  await until(async () => {
    await clock.pass(100);
    return network.count("GET auth/me") === 1;
  });
  await call;
  assert.deepEqual(reasons, []);
});

test("a change of the password in a tab that is closed meanwhile is waited for only so long", async () => {
  const { storage } = openStorage();
  const { client, network, clock, reasons } = await signedIn(service.url, { storage });
  const closed = app(service.url, { storage });
  const held = closed.network.hold("POST auth/password");
  void closed.client.changePassword(password, "staple engine tulip");
  await held.arrived;
  await clock.pass(expired);
  const refresh = network.hold("POST auth/refresh");
  const call = refusal(client.me());
  await refresh.arrived;
  refresh.release();
  await settled();
  await until(async () => {
    await clock.pass(1000);
    return reasons.length > 0;
  });
  assert.equal(await call, "password_changed");
  assert.deepEqual(reasons, ["password_changed"]);
});

test("expiry is reckoned on a monotonic clock", async (context) => {
  for (const day of [-86_400_000, 86_400_000]) {
    const { client, network, clock } = await signedIn(service.url);
    const now = Date.now;
    context.mock.method(Date, "now", () => now() + day);
    for (let refreshes = 0; refreshes < 3; refreshes++) {
      await client.me();
      await clock.pass(13 * 60_000);
      await client.me();
      assert.equal(network.count("POST auth/refresh"), refreshes);
      await clock.pass(2.1 * 60_000);
      await client.me();
      assert.equal(network.count("POST auth/refresh"), refreshes + 1);
    }
    context.mock.restoreAll();
  }
});

test("after a restart the stored access token is used until it is refused", async () => {
  const { storage } = openStorage();
  await signedIn(service.url, { storage });
  const { client, network, reasons } = app(service.url, { storage });
  await client.me();
  assert.equal(network.count("POST auth/refresh"), 0);
  network.fake("GET auth/me", 401, problem("token_expired", 401));
  await nextSecond();
  await client.me();
  assert.equal(network.count("POST auth/refresh"), 1);
  assert.deepEqual(reasons, []);
});

test("a storage that cannot be read at the start is no sign-out", async () => {
  const { storage } = openStorage();
  await signedIn(service.url, { storage });
  let locked = true;
  const getItem = async (key: string) => {
    if (locked) throw new Error("the phone is locked");
    return storage.getItem(key);
  };
  const { client, reasons } = app(service.url, { storage: { ...storage, getItem } });
  assert.equal(await refusal(client.me()), "storage");
  locked = false;
  await client.me();
  assert.deepEqual(reasons, []);
});
