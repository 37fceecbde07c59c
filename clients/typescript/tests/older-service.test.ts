// A service of an earlier version, which lacks paths and fields that this client uses: the error says what to do.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";

import { RescindError } from "../src/error.ts";
import { app, openStorage, password, problem } from "./harness.ts";

let url: string;
const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { status, ...rest } = answer(`${request.method} ${request.url!.replace("/api/v1/", "")}`, JSON.parse(body || "{}"));
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify({ status, ...rest }));
});

const unknown = (...fields: string[]) => ({
  ...problem("invalid_request", 400),
  errors: fields.map((field) => ({ field, code: "unknown" })),
});

/** The earlier version: sign-ins with a username and a password, and little else. */
function answer(what: string, body: object): { status: number; [member: string]: unknown } {
  if (what === "POST auth/register" || what === "POST auth/login") {
    const fields = Object.keys(body).filter((field) => field !== "username" && field !== "password");
    if (fields.length) return unknown(...fields.map((field) => (field === "device" ? "device.nmae" : field)));
    const tokens = { access: "v4.public.a", refresh: "v4.local.r", expires_in: 900 };
    return { status: 200, ...tokens, user: { id: "u", username: "ada" }, device: { id: "d" } };
  }
  if (what === "POST auth/logout-all?wait=1s") return unknown("wait");
  if (what.startsWith("PATCH devices/")) return problem("method_not_allowed", 405);
  return problem("not_found", 404);
}

before(async () => {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => server.close());

async function error(promise: Promise<unknown>): Promise<RescindError> {
  const found = await promise.then(() => assert.fail("answered"), (error: unknown) => error);
  assert.ok(found instanceof RescindError);
  return found;
}

const older = "Update the service: it is older than this client";

test("what an older service does not know is said, with its code, and signs nobody out", async () => {
  const { client, reasons } = app(url, { device: undefined as never });
  await client.register("ada", password);
  for (const [call, code] of [
    [() => client.login("ada", password), "invalid_request"],
    [() => client.me(), "not_found"],
    [() => client.logoutOthers(), "not_found"],
    [() => client.devices.list({ limit: 1 }), "not_found"],
    [() => client.devices.rename("d", "Ada's phone"), "method_not_allowed"],
    [() => client.accessToken("v4.public.a"), "not_found"],
  ] as const) {
    const { message, code: found } = await error(call());
    assert.deepEqual([message, found], [`${older} (${code})`, code]);
  }
  assert.notEqual(await client.session(), null);
  assert.equal((await error(client.logoutAll({ wait: "1s" }))).message, `${older} (invalid_request)`);
  assert.deepEqual(reasons, []);
});

test("a device that is not there, or a misspelt field of the app's, does not make a service old", async () => {
  const { client } = app(url, { device: undefined as never });
  await client.register("ada", password);
  assert.equal((await error(client.devices.end("other"))).message, "A problem (not_found)");
  const misspelt = app(url, { device: { nmae: "Ada's phone" } as never, storage: openStorage().storage });
  const { message, errors } = await error(misspelt.client.login("ada", password));
  assert.equal(message, "A problem (invalid_request)");
  assert.deepEqual(errors, [{ field: "device.nmae", code: "unknown" }]);
});
