// Random schedules against the service: no honest client is ever signed out, every one whose session has ended learns the
// reason, every sign-out arrives in the end, and nothing is left in the storage. `TEST_SEED=N` runs one of them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";

import { binary, environment, Service } from "../../../../tests/clients/service.ts";
import { ask } from "./network.ts";
import { type Account, runSchedule } from "./schedule.ts";

const schedules = process.env["RESCIND_TEST_ROUNDS"] === "full" ? 10_000 : 500;
const only = process.env["TEST_SEED"];
/** Each of these users has one schedule at a time. */
const users = only ? 1 : 16;

let service: Service;
let key: string;

before(async () => {
  // Each refresh counts: with the usual grace a device would not advance twice in a schedule.
  const limits = ["sign_ins_per_account", "sign_ins_per_address", "sign_outs_of_others_per_user", "registrations_per_address"];
  const unlimited = limits.map((limit) => `${limit}=1000000`);
  service = await Service.start("log_level=error", "refresh_grace=0s", "refresh_recoveries=100", "hash_wait=30s", ...unlimited);
  const scopes = ["--scope", "sessions"];
  const add = ["service-key", "add", "schedules", ...scopes, "--data", service.data];
  key = execFileSync(binary, add, { encoding: "utf8", env: environment, stdio: ["ignore", "pipe", "ignore"] }).trim().split("\n").at(-1)!;
});
after(() => service.stop());

test(`${only ? `schedule ${only}` : `${schedules} schedules`}`, async (context) => {
  // Nothing may depend on the wall clock: each look at it is up to a day off.
  const now = Date.now;
  let looks = 0;
  context.mock.method(Date, "now", () => now() + Math.sin(++looks) * 86_400_000);
  let seed = only ? Number(only) : 1;
  const last = only ? seed : schedules;
  let steps = 0;
  const accounts: Account[] = [];
  for (let user = 1; user <= users; user++) {
    const name = `user-${user}`;
    const credentials = { username: name, password: "correct horse battery" };
    const account = { url: service.url, key, user: name, passwords: new Map([[name, credentials.password]]) };
    assert.equal((await ask(account, "POST", "auth/register", undefined, credentials)).status, 201);
    accounts.push(account);
  }
  const work = async (account: Account) => {
    while (seed <= last) {
      const { trace } = await runSchedule(account, seed++);
      steps += trace.length;
      if (only) console.log(trace.join("\n"));
    }
  };
  await Promise.all(accounts.map(work));
  console.log(`${last} schedules, ${steps} steps`);
});
