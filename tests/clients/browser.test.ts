// `/docs` in a real browser: a visitor registers, calls, signs out everywhere and is refused, all from the page.
// The screenshots are in `target/screenshots/`.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";

import { launched } from "./chromium.ts";
import { Service } from "./service.ts";

const screenshots = join(import.meta.dirname, "../../target/screenshots");
let service: Service;
let browser: Browser;

before(async () => {
  await mkdir(screenshots, { recursive: true });
  service = await Service.start();
  browser = await launched();
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

/** Everything the page may not do, as it happens. */
function watch(page: Page): string[] {
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // The browser notes every answer of 400 and more; those are looked at in the page.
    const isAnswer = message.text().startsWith("Failed to load resource: the server responded with a status of 4");
    if (["error", "warning"].includes(message.type()) && !isAnswer) faults.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== service.url && protocol !== "data:") faults.push(`request to ${origin}`);
  });
  return faults;
}

function operation(page: Page, id: string) {
  return page.locator(`.opblock[id$="-${id}"]`);
}

/** Opens an operation, sends the request as it stands there, and gives the status and body the page shows. */
async function execute(page: Page, id: string): Promise<[status: number, body: Record<string, unknown>]> {
  const block = operation(page, id);
  if ((await block.locator(".opblock-body").count()) === 0) await block.locator(".opblock-summary-control").click();
  const clear = block.getByRole("button", { name: "Clear" });
  if (await clear.isVisible()) await clear.click();
  await block.getByRole("button", { name: "Execute" }).click();
  const answer = block.locator(".live-responses-table .response");
  await answer.locator(".response-col_description .highlight-code, .response-col_description pre").first().waitFor();
  const status = (await answer.locator(".response-col_status").first().innerText()).trim();
  const body = await answer.locator(".response-col_description pre").first().innerText();
  return [Number.parseInt(status, 10), JSON.parse(body)];
}

async function open(page: Page): Promise<void> {
  await page.goto(`${service.url}/docs`);
  await operation(page, "register").waitFor();
}

test("a visitor signs in and out on the page", async () => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
  const faults = watch(page);
  await open(page);
  await page.screenshot({ path: join(screenshots, "1-docs.png") });

  const [registered, session] = await execute(page, "register");
  assert.equal(registered, 201, JSON.stringify(session));
  await page.screenshot({ path: join(screenshots, "2-register.png"), fullPage: true });

  const [allowed, me] = await execute(page, "me");
  assert.deepEqual([allowed, me["user"]], [200, session["user"]]);
  await operation(page, "me").screenshot({ path: join(screenshots, "3-me.png") });

  await open(page);
  assert.equal((await execute(page, "me"))[0], 200, "a reload keeps the authorization");

  const [ended, everywhere] = await execute(page, "logoutAll");
  assert.deepEqual([ended, everywhere["signed_out"]], [200, 1]);
  const [refused, problem] = await execute(page, "me");
  assert.deepEqual([refused, problem["code"]], [401, "signed_out_everywhere"]);
  await operation(page, "me").screenshot({ path: join(screenshots, "4-me-signed-out.png") });

  assert.deepEqual(faults, []);
  await page.close();
});

test("the page fits a phone", async () => {
  const page = await browser.newPage({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 });
  const faults = watch(page);
  await open(page);
  await page.screenshot({ path: join(screenshots, "5-phone.png") });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it scrolls sideways");
  assert.deepEqual(faults, []);
  await page.close();
});
