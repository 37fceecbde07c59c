// Two tabs of one app in a real browser: they share the stored tokens, and neither knows that the other refreshes too.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";

import { chance } from "./chance.ts";
import { launched } from "./chromium.ts";
import { Service } from "./service.ts";

const jitter = 300;
const parallel = 10;
const rounds = 4;

let service: Service;
let browser: Browser;

before(async () => {
  service = await Service.start();
  browser = await launched();
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

/** What each tab of the app does when its user comes back: some calls at once, each of which refreshes on its own. */
async function comeBack(calls: number): Promise<number[]> {
  const me = (access: string) => fetch("/api/v1/auth/me/", { headers: { authorization: `Bearer ${access}` } });
  const call = async () => {
    const first = await me(localStorage["access"]);
    if (first.status !== 401) return first.status;
    const refreshed = await fetch("/api/v1/auth/refresh/", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ refresh: localStorage["refresh"] }),
    });
    const session = await refreshed.json();
    if (!refreshed.ok) {
      localStorage["signedOut"] = session.code;
      return refreshed.status;
    }
    localStorage["access"] = session.access;
    localStorage["refresh"] = session.refresh;
    return (await me(session.access)).status;
  };
  return Promise.all(Array.from({ length: calls }, call));
}

test("two tabs that refresh without knowing of each other stay signed in", async () => {
  const next = chance(7);
  const delay = () => new Promise((resolve) => setTimeout(resolve, next() * jitter));
  const context = await browser.newContext();
  await context.route("**/api/v1/auth/**", async (route) => {
    await delay();
    const response = await route.fetch();
    await delay();
    await route.fulfill({ response });
  });
  // The compiler wraps the functions it hands to the page in this.
  await context.addInitScript("globalThis.__name = (named) => named");
  const tabs = [await context.newPage(), await context.newPage()];
  // Any page of this origin will do.
  for (const tab of tabs) await tab.goto(`${service.url}/docs`);

  for (let round = 0; round < rounds; round++) {
    const registered = await fetch(`${service.url}/api/v1/auth/register/`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username: `honest ${round}`, password: "correct horse battery" }),
    });
    const { refresh } = (await registered.json()) as { refresh: string };
    await tabs[0]?.evaluate((held) => {
      localStorage.clear();
      localStorage["access"] = "v4.public.expired";
      localStorage["refresh"] = held;
    }, refresh);
    const statuses = await Promise.all(tabs.map((tab) => tab.evaluate(comeBack, parallel)));
    const signedOut = await tabs[0]?.evaluate(() => localStorage["signedOut"] as string | undefined);
    assert.equal(signedOut, undefined, `signed out in round ${round}`);
    assert.deepEqual(new Set(statuses.flat()), new Set([200]));
  }
  await context.close();
});
