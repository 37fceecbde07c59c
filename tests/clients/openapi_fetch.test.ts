// A client that is only types, by openapi-typescript and openapi-fetch, against the service itself.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import createClient from "openapi-fetch";

import type { components, paths } from "./generated/schema.d.ts";
import { Service } from "./service.ts";

type Problem = components["schemas"]["Problem"];

const password = "correct horse battery";
let service: Service;

before(async () => {
  service = await Service.start();
});
after(() => service.stop());

function bearing(access?: string) {
  const headers = access === undefined ? {} : { authorization: `Bearer ${access}` };
  return createClient<paths>({ baseUrl: service.url, headers });
}

function ok<T>({ data, error }: { data?: T; error?: Problem }): T {
  assert.ok(data !== undefined, JSON.stringify(error));
  return data;
}

/** The code of a refusal, from the type of the operation's errors. */
function code({ error, response }: { error?: Problem; response: Response }): string {
  assert.equal(error?.status, response.status);
  assert.equal(response.status, 401);
  return error?.code ?? "";
}

test("a user signs in on two devices, ends one, and then all", async () => {
  const anonymous = bearing();
  const device = { name: "Ada's phone", kind: "mobile" };
  const body = { username: "ada", password, device };
  let phone = ok(await anonymous.POST("/api/v1/auth/register", { body }));
  const desktop = ok(await anonymous.POST("/api/v1/auth/login", { body: { username: "ada", password } }));
  assert.equal(code(await anonymous.GET("/api/v1/auth/me")), "token_missing");
  const wrong = { username: "ada", password: "wrong horse battery" };
  assert.equal(code(await anonymous.POST("/api/v1/auth/login", { body: wrong })), "wrong_credentials");

  const me = ok(await bearing(phone.access).GET("/api/v1/auth/me"));
  assert.deepEqual([me.user.username, me.device.name, me.device.current], ["ada", "Ada's phone", true]);
  phone = ok(await anonymous.POST("/api/v1/auth/refresh", { body: { refresh: phone.refresh } }));
  const mine = bearing(phone.access);
  const { results } = ok(await mine.GET("/api/v1/devices"));
  assert.deepEqual(results.map(({ id }) => id).sort(), [phone.device.id, desktop.device.id].sort());

  const path = { id: desktop.device.id };
  assert.equal((await mine.DELETE("/api/v1/devices/{id}", { params: { path } })).error, undefined);
  assert.equal(code(await bearing(desktop.access).GET("/api/v1/auth/me")), "signed_out");
  const refused = await anonymous.POST("/api/v1/auth/refresh", { body: { refresh: desktop.refresh } });
  assert.equal(code(refused), "signed_out");
  const everywhere = ok(await mine.POST("/api/v1/auth/logout-all"));
  assert.deepEqual([everywhere.signed_out, everywhere.generation], [1, 2]);
  assert.equal(code(await mine.GET("/api/v1/auth/me")), "signed_out_everywhere");
});
