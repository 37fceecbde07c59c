// Each operation of the client in an app that is ended at one of its awaits, for all of them in turn, and started again:
// nobody is signed out who did not ask for it, each reason is told, each sign-out arrives, and the operation can be done.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { pbkdf2Sync } from "node:crypto";
import { after, before, test } from "node:test";

import { binary, environment, Service } from "../../../../tests/clients/service.ts";
import type { Client } from "../../src/client.ts";
import { sessionKey, type Stored, stored } from "../../src/stored.ts";
import { password } from "../harness.ts";
import { ask, type Backend } from "./network.ts";
import { Phone, storages } from "./phone.ts";

/** A hash of `password` that takes no time to make; the service brings such hashes of Django's up to date at a sign-in. */
const hash = `pbkdf2_sha256$1000$salt$${pbkdf2Sync(password, "salt", 1000, 32, "sha256").toString("base64")}`;
const newPassword = "staple engine tulip";
/** More than an access token's lifetime, in milliseconds. */
const lifetime = 1_000_000;
/** How many apps are tried at once. */
const together = 8;

let service: Service;
let key: string;

before(async () => {
  service = await Service.start("log_level=error", "refresh_grace=0s", "hash_wait=30s");
  const add = ["service-key", "add", "restarts", "--scope", "sessions", "--scope", "admin", "--data", service.data];
  const said = execFileSync(binary, add, { encoding: "utf8", env: environment, stdio: ["ignore", "pipe", "ignore"] });
  key = said.trim().split("\n").at(-1)!;
});
after(() => service.stop());

/** What the service says of an access token. */
async function verdict(access: string): Promise<string> {
  const { status, body } = await ask(backend(), "GET", "auth/me", access);
  return status === 200 ? "live" : body.code;
}

const backend = (): Backend => ({ url: service.url, key, user: "" });

async function session(username: string): Promise<Stored> {
  const { status, body } = await ask(backend(), "POST", `admin/users/name:${username}/sessions`, key, {});
  assert.equal(status, 201);
  return stored(body);
}

interface World {
  phone: Phone;
  username: string;
  /** The session of before, and one on another device. */
  before: Stored | null;
  elsewhere: Stored;
}

interface Operation {
  /** Nothing: the start itself. */
  call?(client: Client, world: World): Promise<unknown>;
  /** Whether nobody is signed in before. */
  fromNothing?: true;
  /** Whether the access token has expired before. */
  expired?: true;
  /** Why the session of before may have ended, although it is still held. */
  mayEnd?: string[];
  /** Whose session this ends. */
  ends?: "this device" | "all devices";
  /** Whether it cannot be done twice, or leaves another session. */
  once?: true;
}

const login = (client: Client, { username }: World) => client.login(username, password);
const register = (client: Client, { username }: World) => client.register(`${username}-new`, password);
const changePassword = (client: Client) => client.changePassword(password, newPassword);
const deleteAccount = (client: Client) => client.deleteAccount(password);
const endThis = (client: Client, { before }: World) => client.devices.end(before!.device);
const endOther = (client: Client, { elsewhere }: World) => client.devices.end(elsewhere.device);
const overSession: Partial<Operation> = { ends: "this device", once: true, mayEnd: ["signed_out"] };

const operations: Record<string, Operation> = {
  start: {},
  session: { call: (client) => client.session() },
  me: { call: (client) => client.me() },
  "me with an expired token": { expired: true, call: (client) => client.me() },
  fetch: { expired: true, call: (client) => client.fetch(`${service.url}/api/v1/auth/me`, {}) },
  "accessToken after a refusal": { call: (client, { before }) => client.accessToken(before!.access) },
  "devices.list": { call: (client) => client.devices.list() },
  "devices.rename": { call: (client, { before }) => client.devices.rename(before!.device, "Ada's phone") },
  "devices.end of another device": { call: endOther },
  "devices.end of this device": { ends: "this device", call: endThis },
  logout: { ends: "this device", call: (client) => client.logout() },
  "logout with a flush": { ends: "this device", call: (client) => Promise.all([client.logout(), client.flush()]) },
  logoutAll: { ends: "all devices", call: (client) => client.logoutAll({ wait: "250ms" }) },
  "logoutAll with an expired token": { ends: "all devices", expired: true, call: (client) => client.logoutAll() },
  logoutOthers: { call: (client) => client.logoutOthers() },
  login: { fromNothing: true, call: login },
  "login over a session": { ...overSession, call: login },
  register: { fromNothing: true, call: register },
  "register over a session": { ...overSession, call: register },
  changePassword: { mayEnd: ["password_changed"], call: changePassword },
  deleteAccount: { ends: "this device", mayEnd: ["signed_out_everywhere", "token_invalid"], call: deleteAccount },
};

/** An app that is ended `awaits` awaits after it has begun with `operation`. Gives the awaits at which to end another one. */
async function restarts(
  operation: Operation,
  storage: keyof typeof storages,
  username: string,
  awaits: number,
): Promise<number[]> {
  const made = await ask(backend(), "POST", "admin/users", key, { username, password_hash: hash });
  assert.equal(made.status, 201, made.body.detail);
  const phone = new Phone(service.url, storage);
  const before = operation.fromNothing ? null : await session(username);
  const world: World = { phone, username, before, elsewhere: await session(username) };
  if (before) phone.texts.set(sessionKey, JSON.stringify(before));

  const { life, client } = phone.start(operation.call ? Infinity : awaits);
  const effects: number[] = [];
  const note = () => effects.push(phone.effects);
  if (operation.call) {
    await client.session();
    await phone.rest();
    if (operation.expired) await phone.clock.pass(lifetime);
    life.onAwait = note;
    life.endAfter(awaits);
    void operation.call(client, world).catch(() => {});
  } else {
    life.onAwait = note;
  }
  await phone.rest();
  life.end();

  const restarted = phone.start().client;
  await restarted.session();
  await phone.rest();
  await judge(operation, world, restarted);
  // To end it at one of the others is the same: between them, nothing reaches the storage, the network or the app.
  return effects.flatMap((count, at) => (count === effects[at - 1] ? [] : [at]));
}

/** What `promise` gives, while time passes for what waits for a timer. */
async function inTime<T>(phone: Phone, promise: Promise<T>): Promise<T> {
  let isDone = false;
  void promise.finally(() => (isDone = true));
  for (await phone.rest(); !isDone; await phone.rest()) await phone.clock.pass(1000);
  return promise;
}

/** The app has started again, and has had the time to send what waited. */
async function judge(operation: Operation, world: World, client: Client): Promise<void> {
  const { phone, before, elsewhere } = world;
  const { mayEnd = [], ends, once, call } = operation;
  const held = phone.session;
  assert.deepEqual([...phone.texts.keys()], held ? [sessionKey] : [], "nothing but a session is left in the storage");
  const code = await inTime(phone, client.me().then(() => undefined, ({ code }) => code as string));
  if (held && code) {
    assert.ok(mayEnd.includes(code), `the session has ended (${code}), and nobody had asked for it`);
    assert.deepEqual(phone.reasons, [code], "the reason is told once");
    assert.equal(phone.session, null);
  } else {
    assert.deepEqual(phone.reasons, [], "an end is told that there was not");
    assert.equal(code, held ? undefined : "not_signed_in");
  }
  if (before && held?.device !== before.device) {
    assert.ok(ends, "the session is lost");
    await hasEnded(before, elsewhere, ends);
  }
  // What has not come about yet can be asked for once more.
  if (held && !code && call && ends && !once) {
    await call(client, world);
    await phone.rest();
    await hasEnded(held, elsewhere, ends);
  }
  const last = phone.session;
  assert.equal((await client.logout()).delivered, true);
  await phone.rest();
  assert.deepEqual([...phone.texts], []);
  if (last) await hasEnded(last, elsewhere, "this device");
}

async function hasEnded(session: Stored, elsewhere: Stored, ends: NonNullable<Operation["ends"]>): Promise<void> {
  assert.notEqual(await verdict(session.access), "live", "the sign-out has never arrived");
  if (ends === "all devices") assert.equal(await verdict(elsewhere.access), "signed_out_everywhere");
}

for (const [index, [name, operation]] of Object.entries(operations).entries()) {
  test(`${name}: ended at each await and started again, nothing is lost`, async () => {
    for (const [kind, storage] of (Object.keys(storages) as (keyof typeof storages)[]).entries()) {
      const end = (awaits: number) =>
        restarts(operation, storage, `restart-${index}-${kind}-${awaits}`, awaits).catch((error) => {
          throw new Error(`a storage that ${storage}, await ${awaits}: ${error.message}`, { cause: error });
        });
      const all = await end(Infinity);
      console.log(`a storage that ${storage}: awaits ${all.join(", ")}`);
      for (let first = 0; first < all.length; first += together) {
        await Promise.all(all.slice(first, first + together).map(end));
      }
    }
  });
}
