// Clients with and without single flight, behind a network that delays each message by a time of its own: an access token
// runs out while twenty requests are made, and nobody is signed out.

import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, createServer, request, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import axios from "axios";

import { chance } from "./chance.ts";
import { clients, Storage } from "./refreshing.ts";
import { Service } from "./service.ts";

const jitter = 300;
const parallel = 20;
const rounds = 4;

let service: Service;
let network: Server;
let url: string;

before(async () => {
  service = await Service.start();
  [network, url] = await slowNetwork(service.url);
});
after(async () => {
  network.closeAllConnections();
  network.close();
  await service.stop();
});

/** A proxy that holds each request and each answer back for up to `jitter` milliseconds. */
async function slowNetwork(target: string): Promise<[Server, string]> {
  const agent = new Agent({ keepAlive: true });
  const next = chance(7);
  const delay = () => new Promise((resolve) => setTimeout(resolve, next() * jitter));
  const server = createServer(async (incoming, outgoing) => {
    const body = await whole(incoming);
    await delay();
    const { method, headers } = incoming;
    const forwarded = request(new URL(incoming.url ?? "/", target), { method, headers, agent });
    forwarded.end(body);
    const [answer] = await once(forwarded, "response");
    const answered = await whole(answer);
    await delay();
    outgoing.writeHead(answer.statusCode, answer.headers).end(answered);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
}

async function whole(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks);
}

let users = 0;

/** A user whose access token does not count any more, as after a quarter of an hour. */
async function withExpiredAccess(): Promise<Storage> {
  const body = { username: `honest ${++users}`, password: "correct horse battery" };
  const { data } = await axios.post(`${service.url}/api/v1/auth/register/`, body);
  return new Storage("v4.public.expired", data.refresh);
}

for (const [name, client] of Object.entries(clients)) {
  test(name, async () => {
    let refreshes = 0;
    for (let round = 0; round < rounds; round++) {
      const storage = await withExpiredAccess();
      const api = client(url, storage);
      const answers = await Promise.allSettled(Array.from({ length: parallel }, () => api.get("/api/v1/auth/me/")));
      assert.equal(storage.signedOut, undefined, `signed out in round ${round}`);
      // The library gives up on requests that are refused while it refreshes: it hands their 401 on.
      const served = answers.filter(({ status }) => status === "fulfilled").length;
      assert.ok(name === "axios-auth-refresh" ? served > 0 : served === parallel, `${served} served`);
      // What it holds at the end is good.
      await axios.post(`${service.url}/api/v1/auth/refresh/`, { refresh: storage.refresh });
      refreshes += storage.refreshes;
    }
    console.log(`${refreshes} refreshes in ${rounds} rounds`);
  });
}
