// The app and browsers of users, for tests in another language: each line of standard input is a call, and each line of
// standard output its outcome, both in JSON.

import { createInterface } from "node:readline";
import type { BrowserContext, Page } from "playwright-core";

import { launched } from "./chromium.ts";

// As apps get it, so it has no types here before it is built.
const { createClient, memoryStorage } = await import(new URL("../../clients/typescript/dist/index.js", import.meta.url).href);

/** An app on a phone with `@rescind/client`: it signs in at the service, and calls the API of a site. */
class Phone {
  readonly #client;
  readonly #api: string;
  #reason: string | null = null;

  constructor(service: string, api: string) {
    this.#api = api;
    this.#client = createClient({
      url: service,
      storage: memoryStorage(),
      device: { name: "Phone", kind: "mobile" },
      // A build for tests takes long for a hash of Django.
      timeout: 120_000,
      onSignedOut: (reason: string) => (this.#reason = reason),
    });
  }

  login = (name: string, password: string) => this.#client.login(name, password);
  logout = () => this.#client.logout();
  logoutAll = (wait: string | null) => this.#client.logoutAll({ wait: wait ?? undefined });
  accessToken = () => this.#client.accessToken();
  session = () => this.#client.session();
  /** Why the session has ended, if the app did not ask for it. */
  reason = () => this.#reason;

  /** The answer of the site's API. */
  async asks() {
    const answer = await this.#client.fetch(this.#api);
    return { status: answer.status, body: await answer.json() };
  }

  close() {}
}

/** A browser on a desktop, with a profile of its own. */
class Desktop {
  readonly #context: BrowserContext;
  readonly #page: Page;
  readonly #site: string;

  constructor(context: BrowserContext, page: Page, site: string) {
    this.#context = context;
    this.#page = page;
    this.#site = site;
  }

  async open(path: string) {
    await this.#page.goto(this.#site + path);
    return this.#shown();
  }

  /** Fills fields of the page by their labels. */
  async fill(fields: Record<string, string>) {
    for (const [label, text] of Object.entries(fields)) await this.#page.getByLabel(label, { exact: true }).fill(text);
  }

  /** Clicks on a link or button once, and waits for the page behind it. */
  async click(name: string) {
    const link = this.#page.getByRole("link", { name, exact: true });
    const button = this.#page.getByRole("button", { name, exact: true });
    await Promise.all([this.#page.waitForEvent("load"), link.or(button).click()]);
    return this.#shown();
  }

  close = () => this.#context.close();

  async #shown() {
    const { pathname, search } = new URL(this.#page.url());
    return { path: pathname + search, text: await this.#page.locator("body").innerText() };
  }
}

const browser = await launched();
const actors: Record<string, (...given: unknown[]) => unknown>[] = [];

const makes: Record<string, (...given: string[]) => Promise<Phone | Desktop>> = {
  phone: async (service, api) => new Phone(service!, api!),
  async desktop(site) {
    const context = await browser.newContext();
    context.setDefaultTimeout(60_000);
    return new Desktop(context, await context.newPage(), site!);
  },
};

/** The number of a new actor, or what one of them answers. */
async function outcome(actor: number | null, call: string, given: unknown[]): Promise<unknown> {
  if (actor !== null) return (await actors[actor]![call]!(...given)) ?? null;
  return actors.push((await makes[call]!(...(given as string[]))) as never) - 1;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { actor, call, given } = JSON.parse(line);
  const said = await outcome(actor, call, given).then(
    (value) => ({ value }),
    (error: { code?: string }) => ({ error: String(error.code ?? error) }),
  );
  console.log(JSON.stringify(said));
}
await browser.close();
