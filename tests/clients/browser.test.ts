// `/docs` in a real browser: a visitor registers, calls, signs out everywhere and is refused, all from the page.
// The screenshots are in `target/screenshots/`.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
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
function watch(page: Page, allowed = service.url): string[] {
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // The browser notes every answer of 400 and more; those are looked at in the page.
    const isAnswer = message.text().startsWith("Failed to load resource: the server responded with a status of 4");
    if (["error", "warning"].includes(message.type()) && !isAnswer) faults.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== allowed && protocol !== "data:") faults.push(`request to ${origin}`);
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

async function open(page: Page, url = `${service.url}/docs`): Promise<void> {
  await page.goto(url);
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** nginx with the service below `/auth/`. */
class Proxy {
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(process: ChildProcess, folder: string) {
    this.#process = process;
    this.#folder = folder;
  }

  static async start(port: number, upstream: string): Promise<Proxy> {
    const folder = await mkdtemp(join(tmpdir(), "rescind-nginx-"));
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`);
    // Its worker keeps large answers in the folder, which is its user's.
    const user = process.getuid?.() === 0 ? "user root;" : "";
    await writeFile(join(folder, "nginx.conf"), `${user} daemon off; pid ${folder}/pid; error_log stderr notice; events {}
      http {
        access_log off; ${paths.join(" ")}
        server { listen 127.0.0.1:${port}; location /auth/ { proxy_pass ${upstream}/; } }
      }`);
    const nginx = spawn("nginx", ["-c", join(folder, "nginx.conf"), "-e", "stderr"], { stdio: ["ignore", "ignore", "pipe"] });
    await once(nginx, "spawn");
    for await (const line of nginx.stderr) if (String(line).includes("start worker process ")) break;
    return new Proxy(nginx, folder);
  }

  async stop(): Promise<void> {
    this.#process.kill("SIGTERM");
    if (this.#process.exitCode === null) await once(this.#process, "exit");
    await rm(this.#folder, { recursive: true });
  }
}

for (const { told, path } of [{ told: true, path: "docs" }, { told: true, path: "docs/" }, { told: false, path: "docs" }]) {
  test(`the page works at /auth/${path}, and the service ${told ? "knows" : "does not know"} its prefix`, async () => {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const behind = await Service.start(...(told ? [`public_url=${origin}/auth`] : []));
    const proxy = await Proxy.start(port, behind.url);
    const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
    try {
      const document = (await (await fetch(`${origin}/auth/openapi.json`)).json()) as { servers: { url: string }[] };
      assert.equal(document.servers[0]?.url, told ? `${origin}/auth` : "/");

      const faults = watch(page, origin);
      await open(page, `${origin}/auth/${path}`);
      const [registered, session] = await execute(page, "register");
      assert.equal(registered, 201, JSON.stringify(session));
      const [allowed, me] = await execute(page, "me");
      assert.deepEqual([allowed, me["user"]], [200, session["user"]]);
      await page.screenshot({ path: join(screenshots, "6-prefix.png") });

      const feed = await page.locator(".info a", { hasText: "page" }).evaluate((link) => (link as HTMLAnchorElement).href);
      assert.equal(feed, `${origin}/auth/docs?feed`);
      await page.goto(feed);
      await operation(page, "streamRevocations").waitFor();
      assert.deepEqual(faults, []);
    } finally {
      await page.close();
      await proxy.stop();
      await behind.stop();
    }
  });
}
