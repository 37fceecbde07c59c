// The client that teams generate from `openapi/openapi.json`, against the service itself.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { type Client, createClient, createConfig } from "./generated/client/index.ts";
import {
  changePassword, deleteAccount, endDevice, getDevice, listDevices, login, logout, logoutAll, logoutOthers, me,
  publicKeys, refresh, register, renameDevice,
} from "./generated/index.ts";
import type { Device, Me, Problem, Session } from "./generated/index.ts";
import { Service } from "./service.ts";

const password = "correct horse battery";
let service: Service;
let anonymous: Client;

before(async () => {
  service = await Service.start();
  anonymous = createClient(createConfig({ baseUrl: service.url }));
});
after(() => service.stop());

/** A client that sends this access token where the document asks for one. */
function bearing(access: string): Client {
  return createClient(createConfig({ baseUrl: service.url, auth: access }));
}

type Outcome<T> = { data?: T; error?: unknown; response?: Response | undefined };

function ok<T>({ data, error, response }: Outcome<T>): T {
  assert.ok(data !== undefined && response?.ok, JSON.stringify(error));
  return data;
}

function problem({ data, error, response }: Outcome<unknown>): Problem {
  assert.equal(data, undefined);
  assert.equal(response?.headers.get("content-type"), "application/problem+json");
  const problem = error as Problem;
  assert.equal(problem.status, response?.status);
  assert.equal(problem.request_id, response?.headers.get("x-request-id"));
  return problem;
}

async function registered(username: string): Promise<Session> {
  const device = { name: "Ada's phone", kind: "mobile" };
  return ok(await register({ client: anonymous, body: { username, password, device } }));
}

async function signedIn(username: string): Promise<Session> {
  const device = { name: "Ada's desk", kind: "desktop" };
  return ok(await login({ client: anonymous, body: { username, password, device } }));
}

test("a session says whose it is, on which device, and for how long", async () => {
  const session = await registered("shape");
  assert.equal(session.token_type, "Bearer");
  assert.match(session.access, /^v4\.public\./);
  assert.match(session.refresh, /^v4\.local\./);
  assert.ok(session.expires_in > 0 && session.refresh_expires_in > session.expires_in);
  const { user, device } = ok(await me({ client: bearing(session.access) }));
  assert.deepEqual(user, session.user);
  assert.deepEqual([device.id, device.kind, device.current], [session.device.id, "mobile", true]);
});

test("logout ends one device, logout-all every device", async () => {
  const phone = await registered("both");
  const desk = await signedIn("both");
  const body = { refresh: phone.refresh };
  assert.equal(ok(await logout({ client: bearing(phone.access), body })).signed_out, 1);
  assert.equal(problem(await me({ client: bearing(phone.access) })).code, "signed_out");
  assert.equal(problem(await refresh({ client: anonymous, body })).code, "signed_out");
  const next = ok(await refresh({ client: anonymous, body: { refresh: desk.refresh } }));

  const again = await signedIn("both");
  const everywhere = ok(await logoutAll({ client: bearing(next.access) }));
  assert.deepEqual([everywhere.signed_out, everywhere.generation], [2, 2]);
  for (const { access, refresh: token } of [desk, next, again]) {
    assert.equal(problem(await me({ client: bearing(access) })).code, "signed_out_everywhere");
    const refused = await refresh({ client: anonymous, body: { refresh: token } });
    assert.equal(problem(refused).code, "signed_out_everywhere");
  }
  ok(await me({ client: bearing((await signedIn("both")).access) }));
});

test("logout-others and a new password keep the device that asked", async () => {
  const phone = await registered("others");
  const desk = await signedIn("others");
  const others = ok(await logoutOthers({ client: bearing(phone.access) }));
  assert.equal(others.signed_out, 1);
  assert.equal(problem(await me({ client: bearing(phone.access) })).code, "superseded");
  assert.equal(problem(await me({ client: bearing(desk.access) })).code, "signed_out_everywhere");

  const wanted = { current_password: password, new_password: "staple engine tulip" };
  const changed = ok(await changePassword({ client: bearing(others.access), body: wanted }));
  ok(await me({ client: bearing(changed.session.access) }));
});

test("devices are listed, renamed and ended", async () => {
  const phone = await registered("devices");
  const desk = await signedIn("devices");
  const client = bearing(phone.access);
  const { results } = ok(await listDevices({ client }));
  assert.deepEqual(results.map(({ id, current }) => [id, current]), [[phone.device.id, true], [desk.device.id, false]]);

  const path = { id: desk.device.id };
  assert.equal(ok(await renameDevice({ client, path, body: { name: "The old desk" } })).name, "The old desk");
  assert.equal(ok(await getDevice({ client, path })).name, "The old desk");
  ok(await endDevice({ client, path }));
  assert.equal(problem(await me({ client: bearing(desk.access) })).code, "signed_out");
});

test("every error is a problem whose code says what to do", async () => {
  const { access } = await registered("errors");
  const client = bearing(access);
  const stranger = { id: (await registered("stranger")).device.id };
  assert.equal(problem(await me({ client: anonymous })).code, "token_missing");
  assert.equal(problem(await me({ client: bearing("v4.public.cut") })).code, "token_invalid");
  assert.equal(problem(await getDevice({ client, path: stranger })).code, "not_found");
  assert.equal(problem(await refresh({ client: anonymous, body: { refresh: access } })).code, "token_invalid");
  const taken = { username: "Errors", password };
  assert.equal(problem(await register({ client: anonymous, body: taken })).code, "username_taken");
  const wrong = { username: "errors", password: "wrong horse battery" };
  assert.equal(problem(await login({ client: anonymous, body: wrong })).code, "wrong_credentials");
  const misspelt = { refesh: "" } as unknown as { refresh: string };
  const invalid = problem(await refresh({ client: anonymous, body: misspelt }));
  assert.equal(invalid.code, "invalid_request");
  assert.deepEqual(invalid.errors, [{ field: "refresh", code: "required" }, { field: "refesh", code: "unknown" }]);
});

test("a deleted account is gone and its name is free", async () => {
  const { access } = await registered("gone");
  assert.equal(ok(await deleteAccount({ client: bearing(access), body: { password } })).signed_out, 1);
  await registered("gone");
});

test("a device is of one type, whoever answers it", async () => {
  // The type checker is the test: each of these is what the schema is called.
  const session = await registered("types");
  const devices: Device[] = [session.device, ok(await me({ client: bearing(session.access) })).device];
  assert.deepEqual(devices.map(({ id }) => id), [session.device.id, session.device.id]);
  type Same<A, B> = [A, B] extends [B, A] ? true : false;
  const same: [Same<Session["device"], Device>, Same<Me["device"], Device>] = [true, true];
  assert.deepEqual(same, [true, true]);
  const types = await readFile(join(import.meta.dirname, "generated/types.gen.ts"), "utf8");
  assert.doesNotMatch(types, /& (unknown|\{\n)/);
  assert.doesNotMatch(types, /Device[0-9]/);
});

test("the keys that verify the tokens are public", async () => {
  const { keys } = ok(await publicKeys({ client: anonymous }));
  assert.ok(keys.some(({ kid }) => kid.startsWith("k4.pid.")));
});
