// How a session ends: by the app, offline, by the service, in another tab.

import assert from "node:assert/strict";
import { test } from "node:test";

import { sessionKey } from "../src/stored.ts";
import type { Storage } from "../src/storage.ts";
import {
  app, holdingStorage, openStorage, password, problem, refusal, settled, signedIn, slowStorage, theService, until,
} from "./harness.ts";

const service = theService();

/** What the service says of an access token. */
async function verdict(access: string): Promise<string> {
  const answer = await fetch(`${service.url}/api/v1/auth/me`, { headers: { Authorization: `Bearer ${access}` } });
  return answer.ok ? "live" : (await answer.json()).code;
}

const accessIn = (texts: Map<string, string>): string => JSON.parse(texts.get(sessionKey)!).access;

test("nothing is left in the storage after a sign-out", async () => {
  for (const end of ["logout", "logoutAll"] as const) {
    const { storage, texts } = openStorage();
    const { client, reasons } = await signedIn(service.url, { storage });
    const access = accessIn(texts);
    const outcome = await client[end]();
    assert.deepEqual([outcome.delivered, outcome.signed_out], [true, 1]);
    assert.deepEqual([...texts], []);
    assert.notEqual(await verdict(access), "live");
    assert.equal(await refusal(client.me()), "not_signed_in");
    assert.deepEqual(reasons, []);
  }
});

test("offline, a session is gone here at once and the service is told later", async () => {
  for (const slow of [false, true]) {
    const { storage, texts } = openStorage();
    const { client, network, clock } = await signedIn(service.url, { storage: slow ? slowStorage(storage) : storage });
    const access = accessIn(texts);
    network.down = true;
    const left = client.logout();
    assert.equal(await client.session(), null);
    assert.deepEqual(await left, { delivered: false });
    assert.equal(texts.has(sessionKey), false);
    assert.equal(await verdict(access), "live");
    network.down = false;
    await clock.pass(60_000);
    await until(() => texts.size === 0);
    assert.equal(await verdict(access), "signed_out");
  }
});

test("what waits survives a restart and is sent first thing", async () => {
  for (const [end, code] of [["logout", "signed_out"], ["logoutAll", "signed_out_everywhere"]] as const) {
    const { storage, texts } = openStorage();
    const { client, network } = await signedIn(service.url, { storage });
    const access = accessIn(texts);
    network.down = true;
    await client[end]();
    const restarted = app(service.url, { storage });
    await until(() => texts.size === 0);
    assert.equal(await verdict(access), code);
    assert.equal(restarted.network.sent.length, 1);
  }
});

test("an app that is ended in the middle of a sign-out has signed out", async () => {
  const { storage, texts } = openStorage();
  const hanging: Storage = { ...slowStorage(storage), removeItem: () => new Promise(() => {}) };
  const { client } = await signedIn(service.url, { storage: hanging });
  const access = accessIn(texts);
  void client.logout();
  await until(() => texts.size === 2);
  const restarted = app(service.url, { storage });
  assert.equal(await restarted.client.session(), null);
  await until(() => texts.size === 0);
  assert.equal(await verdict(access), "signed_out");
  assert.deepEqual(restarted.reasons, []);
});

test("a new sign-in does not overtake the sign-out of all devices", async () => {
  const { storage, texts } = openStorage();
  const { client, network, username } = await signedIn(service.url, { storage });
  network.down = true;
  await client.logoutAll();
  network.down = false;
  network.lose("POST auth/logout-all");
  network.next("POST auth/logout-all", async () => new Response("", { status: 502 }));
  assert.equal(await refusal(client.login(username, password)), "network");
  assert.equal(await refusal(client.login(username, password)), "unexpected_answer");
  await client.login(username, password);
  assert.equal(network.sent.at(-2)?.what, "POST auth/logout-all");
  await client.me();
  assert.deepEqual([...texts.keys()], [sessionKey]);
});

test("a sign-out of all devices whose access token has expired is sent with a new one", async () => {
  const { storage, texts } = openStorage();
  const { client, network, username } = await signedIn(service.url, { storage });
  const desk = await signedIn(service.url);
  await desk.client.logout();
  await desk.client.login(username, password);
  network.down = true;
  await client.logoutAll({ wait: "1s" });
  const restarted = app(service.url, { storage });
  // The app may sleep after a refresh, as often as it likes.
  const asleep = 5;
  for (let round = 0; round < asleep; round++) {
    restarted.network.fake("POST auth/logout-all?wait=1s", 401, problem("token_expired", 401));
  }
  const refresh = () => JSON.parse(texts.get("rescind.sign-out.0")!).refresh;
  const old = refresh();
  let used = old;
  restarted.network.next("POST auth/logout-all?wait=1s", (_, pass) => {
    used = refresh();
    return pass();
  });
  await until(async () => (await restarted.client.flush(), texts.size === 0));
  // The third refusal in a row is left to a later attempt.
  assert.equal(restarted.network.count("POST auth/refresh"), asleep - 1);
  assert.notEqual(used, old, "the new tokens are stored before they are used");
  assert.equal(await refusal(desk.client.me()), "signed_out_everywhere");
});

test("the queue is bounded, and full it lets nobody sign in", async () => {
  const { storage, texts } = openStorage();
  const { client, network, username } = await signedIn(service.url, { storage });
  for (let round = 0; round < 6; round++) {
    for (let attempts = 0; attempts < 9; attempts++) network.fake("POST auth/logout", 503, problem("unavailable", 503));
    const access = texts.has(sessionKey) && accessIn(texts);
    await client.logout();
    assert.ok(texts.size <= 4);
    if (access) assert.equal(await verdict(access), "live");
    await client.login(username, password).catch(({ code }) => assert.equal(code, "unavailable"));
  }
  assert.equal(texts.size, 4);
  await until(async () => (await client.flush(), texts.size === 0));
});

test("a sign-out that finds the queue full is kept in memory", async () => {
  const { storage, texts } = openStorage();
  const { client, network } = await signedIn(service.url, { storage });
  const access = accessIn(texts);
  for (let slot = 0; slot < 4; slot++) {
    texts.set(`rescind.sign-out.${slot}`, JSON.stringify({ device: `other ${slot}`, refresh: "v4.local.other" }));
  }
  network.down = true;
  assert.deepEqual(await client.logout(), { delivered: false });
  assert.equal(texts.size, 4);
  assert.deepEqual(await client.flush(), { delivered: false });
  network.down = false;
  assert.deepEqual(await client.flush(), { delivered: true });
  assert.equal(texts.size, 0);
  assert.equal(await verdict(access), "signed_out");
});

test("a session that a new sign-in replaces is signed out", async () => {
  const { storage, texts } = openStorage();
  const { client, username } = await signedIn(service.url, { storage });
  const access = accessIn(texts);
  await client.login(username, password);
  await until(() => texts.size === 1);
  assert.equal(await verdict(access), "signed_out");
  assert.equal((await client.devices.list()).results.length, 1);
});

test("a sign-out that is queued while others are sent is sent after them", async () => {
  const { storage, texts } = openStorage();
  const { client, network, username } = await signedIn(service.url, { storage });
  network.down = true;
  await client.logout();
  network.down = false;
  // The first place in the queue is free, and those who send are past it.
  texts.set("rescind.sign-out.1", texts.get("rescind.sign-out.0")!);
  texts.delete("rescind.sign-out.0");
  network.broken.add("POST auth/logout");
  await client.login(username, password);
  const access = accessIn(texts);
  const login = network.hold("POST auth/login");
  const signingIn = client.login(username, password);
  await login.arrived;
  network.broken.clear();
  const logout = network.hold("POST auth/logout");
  const flushed = client.flush();
  await logout.arrived;
  login.release();
  await signingIn;
  logout.release();
  await flushed;
  await until(() => texts.size === 1);
  assert.equal(await verdict(access), "signed_out");
});

test("a change of the password that a sign-in overtakes keeps the new session", async () => {
  const { storage: inner } = openStorage();
  const { storage: held, hold } = holdingStorage(inner);
  const storage = { ...inner, setItem: held.setItem };
  const { client, network, username, reasons } = await signedIn(service.url, { storage });
  const login = network.hold("POST auth/login");
  const signingIn = client.login(username, password);
  await login.arrived;
  const write = hold();
  const changing = client.changePassword(password, "staple engine tulip");
  await write.arrived;
  login.release();
  await settled();
  write.release();
  await Promise.all([signingIn, changing]);
  await client.me();
  assert.deepEqual(reasons, []);
});

test("a sign-in that a sign-out overtakes is signed out", async () => {
  const { storage, texts } = openStorage();
  const { client, network, username } = await signedIn(service.url, { storage });
  const desk = app(service.url);
  await desk.client.login(username, password);
  const held = network.hold("POST auth/login");
  const signingIn = refusal(client.login(username, password));
  await held.arrived;
  await client.logout();
  held.release();
  assert.equal(await signingIn, "not_signed_in");
  await until(() => texts.size === 0);
  assert.equal((await desk.client.devices.list()).results.length, 1);
});

test("a sign-out during a change of the password reaches the device", async () => {
  const { storage, texts } = openStorage();
  const { client, network, username } = await signedIn(service.url, { storage });
  const held = network.hold("POST auth/password");
  const changing = refusal(client.changePassword(password, "staple engine tulip"));
  await held.arrived;
  await client.logout();
  held.release();
  assert.equal(await changing, "not_signed_in");
  await until(() => texts.size === 0);
  const desk = app(service.url);
  await desk.client.login(username, "staple engine tulip");
  assert.equal((await desk.client.devices.list()).results.length, 1);
});

test("a tab learns why its session ended when another one was told", async () => {
  const { storage } = openStorage();
  const one = await signedIn(service.url, { storage });
  const two = app(service.url, { storage });
  await two.client.me();
  const desk = app(service.url);
  await desk.client.login(one.username, password);
  await desk.client.logoutAll();
  assert.equal(await refusal(one.client.me()), "signed_out_everywhere");
  assert.equal(await refusal(two.client.me()), "not_signed_in");
  await until(() => two.reasons.length > 0);
  await settled();
  assert.deepEqual([one.reasons, two.reasons], [["signed_out_everywhere"], ["signed_out_everywhere"]]);
});

test("a tab whose refresh is refused after another tab was told learns it once", async () => {
  const { storage } = openStorage();
  const one = await signedIn(service.url, { storage });
  const two = app(service.url, { storage });
  await two.client.me();
  const desk = app(service.url);
  await desk.client.login(one.username, password);
  await desk.client.logoutAll();
  await two.clock.pass(20 * 60_000);
  const held = two.network.hold("POST auth/refresh");
  const call = refusal(two.client.me());
  await held.arrived;
  assert.equal(await refusal(one.client.me()), "signed_out_everywhere");
  assert.equal(await two.client.session(), null);
  await until(() => two.reasons.length > 0);
  held.release();
  assert.equal(await call, "not_signed_in");
  await settled();
  assert.deepEqual(two.reasons, ["signed_out_everywhere"]);
});

test("a sign-out in one tab is one in the others", async () => {
  const { storage } = openStorage();
  let changed = () => {};
  const one = await signedIn(service.url, { storage });
  const two = app(service.url, { storage: { ...storage, watch: (call) => void (changed = call) } });
  await two.client.me();
  await one.client.logout();
  changed();
  await until(() => two.reasons.length > 0);
  assert.deepEqual([one.reasons, two.reasons], [[], ["signed_out"]]);
  assert.equal(await two.client.session(), null);
});

test("an app that is ended before its session is removed learns the reason after its restart", async () => {
  const { storage, texts } = openStorage();
  const hanging: Storage = { ...slowStorage(storage), removeItem: () => new Promise(() => {}) };
  const { client, clock, username, reasons } = await signedIn(service.url, { storage: hanging });
  const desk = app(service.url);
  await desk.client.login(username, password);
  await desk.client.logoutAll();
  await clock.pass(20 * 60_000);
  void client.me();
  await until(() => reasons.length > 0);
  const restarted = app(service.url, { storage });
  assert.equal(await refusal(restarted.client.me()), "signed_out_everywhere");
  assert.deepEqual([reasons, restarted.reasons], [["signed_out_everywhere"], ["signed_out_everywhere"]]);
  assert.equal(texts.size, 0);
});

test("an app whose callback fails has signed out all the same", async () => {
  const { storage, texts } = openStorage();
  const { client, network, clock } = await signedIn(service.url, {
    storage,
    onSignedOut: () => {
      throw new Error("an error of the app");
    },
  });
  await clock.pass(20 * 60_000);
  network.fake("POST auth/refresh", 401, problem("signed_out", 401));
  assert.equal(await refusal(client.me()), "signed_out");
  assert.equal(texts.size, 0);
  await assert.rejects(async () => clock.pass(1), /an error of the app/);
});

test("a storage that fails during a sign-out keeps nothing from the service", async () => {
  const { storage, texts } = openStorage();
  let broken = false;
  const fail = () => {
    throw new Error("broken");
  };
  const setItem = (key: string, text: string) => (broken ? fail() : storage.setItem(key, text));
  const { client } = await signedIn(service.url, { storage: { ...storage, setItem } });
  const access = accessIn(texts);
  broken = true;
  assert.deepEqual(await client.logout(), { delivered: true, signed_out: 1 });
  assert.equal(await verdict(access), "signed_out");
  assert.equal(texts.size, 0);
});

test("a sign-out of all devices that the service refuses is an error", async () => {
  const { storage, texts } = openStorage();
  const { client, username } = await signedIn(service.url, { storage });
  const desk = app(service.url);
  await desk.client.login(username, password);
  await desk.client.devices.end((await client.session())!.device.id);
  assert.equal(await refusal(client.logoutAll()), "signed_out");
  assert.equal(texts.size, 0);
});
