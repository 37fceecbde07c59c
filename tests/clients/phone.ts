// The app in `examples/react-native/` in browsers, and the website beside it, each as a user sees them.

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";

import { Service } from "./service.ts";

const example = join(import.meta.dirname, "../../examples/react-native");
export const screenshots = join(import.meta.dirname, "../../target/screenshots/react-native");
export const password = "correct horse battery";

/** react-native-web begins with an empty style element, and fills it by calls. */
const emptyStyle = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";

const listen = async (server: Server | HttpServer): Promise<string> => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

/** The service, the built app and the website, all of which a test may talk to. */
export class World {
  readonly #parts: { close(): Promise<unknown> }[] = [];
  service!: Service;
  /** Where the app is. */
  app = "";
  /** Where the website is. */
  site = "";
  /** Where the service is, also after it has moved. */
  url = "";

  static async start(): Promise<World> {
    const world = new World();
    await world.#serveApp();
    world.service = await Service.start(`cors_origins=${world.app}`);
    world.#parts.push({ close: () => world.service.stop() });
    await world.#forward();
    const environment = { ...process.env, EXPO_PUBLIC_RESCIND_URL: world.url };
    await promisify(execFile)(process.execPath, [join(example, "build.mjs")], { env: environment });
    await world.#startSite({ ...environment, PORT: "0" });
    return world;
  }

  async stop(): Promise<void> {
    for (const part of this.#parts.reverse()) await part.close();
  }

  /** As a host of static files does it, with a policy that allows the page itself and the service. */
  async #serveApp(): Promise<void> {
    const files: Record<string, [name: string, type: string]> = {
      "/": ["index.html", "text/html"],
      "/app.js": ["app.js", "text/javascript"],
    };
    const server = createHttpServer(async (request, response) => {
      const file = files[request.url ?? ""];
      if (!file) return void response.writeHead(404).end();
      response.writeHead(200, {
        "Content-Type": file[1],
        "Content-Security-Policy":
          `default-src 'none'; script-src 'self'; style-src 'self' ${emptyStyle}; img-src data:; connect-src ${this.url}`,
      });
      response.end(await readFile(join(example, "dist/web", file[0])));
    });
    this.app = await listen(server);
    this.#parts.push({ close: () => (server.closeAllConnections(), closed(server)) });
  }

  /** One address for the service, which has another port after each start. */
  async #forward(): Promise<void> {
    const open = new Set<Socket>();
    const server = createServer((from) => {
      const { port, hostname } = new URL(this.service.url);
      const to = connect(Number(port), hostname);
      for (const [one, other] of [[from, to], [to, from]] as const) {
        open.add(one);
        one.on("error", () => other.destroy()).on("close", () => (open.delete(one), other.destroy()));
        one.pipe(other);
      }
    });
    this.url = await listen(server);
    this.#parts.push({ close: () => (open.forEach((socket) => socket.destroy()), closed(server)) });
  }

  async #startSite(env: NodeJS.ProcessEnv): Promise<void> {
    const site: ChildProcess = spawn(process.execPath, [join(example, "dist/desktop.mjs")], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#parts.push({ close: async () => site.kill() && once(site, "exit") });
    for await (const line of createInterface({ input: site.stdout! })) {
      const port = /^the website is at http:\/\/localhost:(\d+) /.exec(line)?.[1];
      if (port !== undefined) return void (this.site = `http://127.0.0.1:${port}`);
    }
    throw new Error("the website ended without listening");
  }
}

const closed = (server: Server) => new Promise((resolve) => server.close(resolve));

/** Somebody's phone or browser: a context of its own, and what its pages complained about. */
export class Person {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly faults: string[];

  private constructor(context: BrowserContext, page: Page, faults: string[]) {
    this.context = context;
    this.page = page;
    this.faults = faults;
  }

  static async at(address: string, browser: Browser, options: BrowserContextOptions = {}): Promise<Person> {
    const context = await browser.newContext({ viewport: { width: 360, height: 740 }, locale: "en-GB", ...options });
    context.setDefaultTimeout(60_000);
    const page = await context.newPage();
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
    page.on("console", (message) => {
      // The browser notes every request that fails or is refused; tests look at what the page says of it.
      const isAnswer = /^Failed to load resource|^Access to fetch at/.test(message.text());
      if (["error", "warning"].includes(message.type()) && !isAnswer) faults.push(`console: ${message.text()}`);
    });
    await page.goto(address);
    return new Person(context, page, faults);
  }

  button = (name: string) => this.page.getByRole("button", { name, exact: true });
  heading = (name: string) => this.page.getByRole("heading", { name, exact: true });
  field = (name: string) => this.page.getByRole("textbox", { name, exact: true });

  press = (name: string) => this.button(name).click();
  sees = (text: string | RegExp) => this.page.getByText(text).first().waitFor();

  /** Signs in, or registers, on the page that is open. */
  async signsIn(
    username: string,
    { button = "Sign in", fields = ["Username", "Password"], secret = password } = {},
  ): Promise<void> {
    await this.field(fields[0]!).fill(username);
    await this.field(fields[1]!).fill(secret);
    await this.press(button);
  }

  async registers(username: string): Promise<void> {
    await this.press("No account yet? Create one");
    await this.signsIn(username, { button: "Create an account" });
    await this.heading("Your account").waitFor();
  }

  async signsOut(where: "On this device" | "On all devices"): Promise<void> {
    await this.press("Sign out");
    await this.press(where);
    await this.heading("Sign in").waitFor();
  }

  /** The app asks the service at once, as when the user comes back to it. */
  comesBack = () => this.page.evaluate(() => void dispatchEvent(new Event("online")));

  /** A picture of the page, on which nothing stands beyond the edges and each button is large enough for a finger. */
  async pictured(name: string): Promise<void> {
    const { page } = this;
    await page.screenshot({ path: join(screenshots, `${name}.png`) });
    const beyond = await page.evaluate(() =>
      Array.from(document.body.querySelectorAll<HTMLElement>("*"))
        .filter((element) => element.children.length === 0 && element.innerText?.trim())
        .filter((element) => {
          const { left, right } = element.getBoundingClientRect();
          return left < 0 || right > innerWidth || element.scrollWidth > element.clientWidth + 1;
        })
        .map((element) => element.innerText),
    );
    assert.deepEqual(beyond, [], `${name}: texts that do not fit`);
    for (const button of await page.getByRole("button").all()) {
      const { width, height } = (await button.boundingBox())!;
      assert.ok(width >= 44 && height >= 44, `${name}: "${await button.innerText()}" has ${width} × ${height} pixels`);
    }
  }

  async leaves(): Promise<void> {
    await this.context.close();
    assert.deepEqual(this.faults, []);
  }
}
