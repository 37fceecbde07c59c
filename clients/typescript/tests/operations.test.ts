// Each operation against the service, the app's own API, and what errors say.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { inspect } from "node:util";
import axios, { AxiosError } from "axios";

import { useAxios } from "../src/axios.ts";
import { createClient } from "../src/client.ts";
import { RescindError } from "../src/error.ts";
import { final } from "../src/stored.ts";
import { codes, readDocument } from "../scripts/generate.ts";
import {
  app, newUser, nextSecond, openStorage, password, problem, refusal, signedIn, theService,
} from "./harness.ts";

const service = theService();

test("the operations do what they say, and the document has them all", async () => {
  const { client, network, username } = await signedIn(service.url);
  const desk = app(service.url, { device: { name: "Ada's desk", kind: "desktop" } });
  const here = await desk.client.login(username, password);
  assert.equal((await client.me()).user.username, username);
  const { results } = await client.devices.list({ limit: 1 });
  assert.deepEqual(results.map(({ kind, current }) => [kind, current]), [["mobile", true]]);
  const rest = await client.devices.list({ after: results[0]!.id });
  assert.deepEqual(rest.results.map(({ id }) => id), [here.device.id]);
  assert.equal((await client.devices.rename(here.device.id, "The old desk")).name, "The old desk");
  assert.deepEqual(await client.devices.end(here.device.id), { signed_out: 1 });
  assert.equal(await refusal(desk.client.me()), "signed_out");
  await desk.client.login(username, password);
  assert.deepEqual(await client.logoutOthers(), { signed_out: 1, generation: 2 });
  await client.me();
  assert.equal(network.count("POST auth/refresh"), 0);
  assert.equal(await refusal(client.changePassword("wrong horse battery", "staple engine tulip")), "wrong_credentials");
  assert.deepEqual(await client.changePassword(password, "staple engine tulip"), { signed_out: 0 });
  await client.me();
  assert.equal(network.count("POST auth/refresh"), 0);
  const all = await client.logoutAll({ wait: "250ms" });
  assert.deepEqual(all, { delivered: true, signed_out: 1, generation: 4, in_force: true });
  await client.login(username, "staple engine tulip");
  assert.equal((await client.devices.end((await client.session())!.device.id)).signed_out, 1);
  assert.equal(await client.session(), null);
  await client.login(username, "staple engine tulip");
  await client.deleteAccount("staple engine tulip");
  assert.equal(await refusal(client.me()), "not_signed_in");
  assert.equal(await refusal(client.login(username, "staple engine tulip")), "wrong_credentials");

  const { paths } = await readDocument();
  const documented = Object.entries<object>(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace("/api/v1/", "")}`),
  );
  const used = new Set(network.sent.map(({ what }) => what.replace(/\?.*/, "").replace(/devices\/.+/, "devices/{id}")));
  assert.equal(used.size, 11);
  for (const operation of used) assert.ok(documented.includes(operation), `${operation} is not in openapi/openapi.json`);
});

test("each code of the document that refuses a token is known here", async () => {
  const refusing = codes(await readDocument()).filter(([, status]) => status === 401).map(([code]) => code);
  // The first says that the access token is old, the second that none was sent, the third is about a password.
  const others = ["superseded", "token_missing", "wrong_credentials"];
  assert.deepEqual([...final, ...others].sort(), refusing.sort());
});

test("ids are encoded in paths", async () => {
  const { client, network } = await signedIn(service.url);
  for (const id of ["../auth/logout-all", "a/b", "a?b#c", "é"]) {
    assert.equal(await refusal(client.devices.end(id)), "not_found");
    assert.equal(network.sent.at(-1)?.what, `DELETE devices/${encodeURIComponent(id)}`);
  }
  const sent = network.sent.length;
  for (const id of ["", ".", ".."]) assert.equal(await refusal(client.devices.rename(id, "x")), "not_found");
  assert.equal(network.sent.length, sent);
  await client.me();
});

test("signing in while signed in shows the refresh token of before", async () => {
  const { client, network, username } = await signedIn(service.url);
  await client.login(username, password);
  assert.match(network.sent.find(({ what }) => what === "POST auth/login")?.body.refresh, /^v4\.local\./);
});

test("changes of what is held are told", async () => {
  const seen: (string | undefined)[] = [];
  const username = newUser();
  const { client } = app(service.url, { onChange: (session) => seen.push(session?.user.username) });
  await client.register(username, password);
  await client.logoutOthers();
  await client.logout();
  assert.deepEqual(seen, [username, undefined]);
});

// ---- the app's own API ----------------------------------------------------------------------------------------------

interface Call {
  authorization: string | undefined;
  body: string;
}

/** An API that refuses the first token it gets. */
async function api(): Promise<{ url: string; calls: Call[] }> {
  const calls: Call[] = [];
  let refused: string | undefined;
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { authorization } = request.headers;
    calls.push({ authorization, body });
    refused ??= authorization;
    response.writeHead(authorization === undefined || authorization === refused ? 401 : 200).end("{}");
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls };
}

test("fetch refreshes when the app's API refuses the token, and sends the request again", async () => {
  const requests = [
    (url: string) => [url, { method: "POST", body: "text" }] as const,
    (url: string) => [new Request(url, { method: "POST", body: "text" }), undefined] as const,
    (url: string) => [new URL(url), { method: "POST", body: "text", headers: [["x-a", "b"]] as [string, string][] }] as const,
  ];
  for (const request of requests) {
    const { client, network } = await signedIn(service.url, { fetch: undefined as never });
    assert.equal(network.sent.length, 0);
    const { url, calls } = await api();
    await nextSecond();
    const [input, init] = request(url);
    assert.equal((await client.fetch(input, init)).status, 200);
    assert.deepEqual(calls.map(({ body }) => body), ["text", "text"]);
    assert.notEqual(calls[0]?.authorization, calls[1]?.authorization);
  }
});

test("fetch without a session sends no token, and a stream only once", async () => {
  const { url, calls } = await api();
  const anonymous = createClient({ url: service.url, storage: openStorage().storage, onSignedOut: assert.fail });
  assert.equal((await anonymous.fetch(url)).status, 401);
  assert.deepEqual(calls.map(({ authorization }) => authorization), [undefined]);
  const { client } = await signedIn(service.url, { fetch: undefined as never });
  await nextSecond();
  const init = { method: "POST", body: new Blob(["text"]).stream(), duplex: "half" } as RequestInit;
  assert.equal((await client.fetch(url, init)).status, 401);
  assert.equal((await client.fetch(url)).status, 200);
});

test("an axios instance refreshes, sends again, and gives the token to its own origin only", async () => {
  const { client, network } = await signedIn(service.url);
  const [own, other, named] = [await api(), await api(), await api()];
  const instance = useAxios(axios.create({ baseURL: own.url }), client, [named.url]);
  await nextSecond();
  const answers = await Promise.all(Array.from({ length: 5 }, () => instance.post("/things", { a: 1 })));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.equal(network.count("POST auth/refresh"), 1);
  assert.ok(own.calls.every(({ body }) => body === '{"a":1}'));
  await assert.rejects(instance.get(`${other.url}/things`));
  assert.deepEqual(other.calls.map(({ authorization }) => authorization), [undefined]);
  await nextSecond();
  await instance.get(`${named.url}/things`);
  assert.equal(named.calls.length, 2);
});

// ---- errors ---------------------------------------------------------------------------------------------------------

const token = /v4\.(local|public)\.[\w-]/;

test("no token is in an error, a log or a text", async () => {
  const { storage, texts } = openStorage();
  const { client, network, clock } = await signedIn(service.url, { storage });
  const [text] = texts.values();
  const errors: unknown[] = [client, String(client), JSON.stringify(client)];
  const failing = async (promise: Promise<unknown>) => errors.push(await promise.then(() => assert.fail("answered"), (error) => error));

  network.fake("GET auth/me", 400, { ...problem("odd", 400), title: text!, detail: text! });
  await failing(client.me());
  network.next("GET auth/me", async () => {
    throw new Error(text);
  });
  await failing(client.me());
  network.fake("GET auth/me", 500, text!);
  await failing(client.me());
  await clock.pass(20 * 60_000);
  network.fake("POST auth/refresh", 503, { ...problem("unavailable", 503), detail: text! });
  await failing(client.me());
  const { url } = await api();
  const instance = useAxios(axios.create({ baseURL: url }), client);
  await client.me();
  const refused = await instance.get("/", { maxRedirects: 0, validateStatus: () => false }).catch((error) => error);
  assert.ok(refused instanceof AxiosError);
  errors.push(refused, refused.toJSON());
  for (const error of errors) {
    for (const said of [inspect(error, { depth: 20, showHidden: true }), String(error), JSON.stringify(error)]) {
      assert.doesNotMatch(said, token);
    }
  }
});

test("an error says what the service said", async () => {
  const { client } = app(service.url);
  const error = await client.register("", "short").catch((error) => error);
  assert.ok(error instanceof RescindError);
  assert.deepEqual([error.name, error.code, error.status], ["RescindError", "invalid_request", 400]);
  assert.ok(error.errors?.some(({ field }) => field === "username"));
  assert.ok(error.requestId);
  const { client: busy, network } = await signedIn(service.url);
  network.next("GET auth/me", async () =>
    new Response(JSON.stringify(problem("overloaded", 503)), { status: 503, headers: { "Retry-After": "7" } }),
  );
  assert.equal((await busy.me().catch((error) => error)).retryAfter, 7);
});
