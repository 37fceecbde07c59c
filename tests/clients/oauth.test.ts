// OAuth's client libraries, unchanged, as a resource server uses them: introspection and revocation, with the service key sent in
// each of the ways they know.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";

import { binary, Service } from "./service.ts";

const ways = ["client_secret_basic", "client_secret_post"] as const;
let service: Service;
let key: string;
let number = 0;

before(async () => {
  service = await Service.start();
  const add = ["service-key", "add", "shop", "--scope", "introspect", "--data", service.data];
  key = execFileSync(binary, add, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  assert.match(key, /^rescind_sk_.*[_-]/);
});
after(() => service.stop());

/** A device that has just signed in. */
async function session(): Promise<{ access: string; refresh: string }> {
  number += 1;
  const answer = await fetch(`${service.url}/api/v1/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: `ada${number}`, password: "correct horse battery" }),
  });
  assert.equal(answer.status, 201);
  return (await answer.json()) as { access: string; refresh: string };
}

for (const way of ways) {
  test(`oauth4webapi, ${way}`, async () => {
    const server: oauth.AuthorizationServer = {
      issuer: service.url,
      introspection_endpoint: `${service.url}/oauth/introspect`,
      revocation_endpoint: `${service.url}/oauth/revoke`,
    };
    // A name with what encoding changes.
    const client: oauth.Client = { client_id: "my-shop: näh & co" };
    const auth = (secret: string) => way === "client_secret_basic" ? oauth.ClientSecretBasic(secret) : oauth.ClientSecretPost(secret);
    const options = { [oauth.allowInsecureRequests]: true };
    const introspect = async (token: string, secret = key) => {
      const response = await oauth.introspectionRequest(server, client, auth(secret), token, options);
      return oauth.processIntrospectionResponse(server, client, response);
    };
    const { access, refresh } = await session();
    assert.equal((await introspect(access)).active, true);
    assert.equal((await introspect(refresh)).token_type, "refresh_token");
    await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth(key), refresh, options));
    assert.deepEqual(await introspect(access), { active: false });
    await assert.rejects(introspect(access, `${key.slice(0, -1)}!`), (error) => {
      if (error instanceof oauth.WWWAuthenticateChallengeError) return error.status === 401;
      return error instanceof oauth.ResponseBodyError && error.error === "invalid_client" && error.status === 401;
    });
  });

  test(`openid-client, ${way}`, async () => {
    const server = {
      issuer: service.url,
      introspection_endpoint: `${service.url}/oauth/introspect`,
      revocation_endpoint: `${service.url}/oauth/revoke`,
    };
    const auth = way === "client_secret_basic" ? openid.ClientSecretBasic(key) : openid.ClientSecretPost(key);
    const config = new openid.Configuration(server, "my-shop", key, auth);
    openid.allowInsecureRequests(config);
    const { access, refresh } = await session();
    assert.equal((await openid.tokenIntrospection(config, access)).active, true);
    await openid.tokenRevocation(config, refresh);
    assert.deepEqual(await openid.tokenIntrospection(config, access), { active: false });
  });
}
