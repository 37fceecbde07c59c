// The real binary on a free port, in a data folder of its own.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

/** The binary under test: `RESCIND`, else the debug build. */
export const binary = resolve(process.env["RESCIND"] ?? join(import.meta.dirname, "../../target/debug/rescind"));

/** What is said to the tests is no setting of the service, which refuses what it does not know. */
export const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("RESCIND_TEST_")),
);

interface Running {
  url: string;
  process: ChildProcess;
}

async function run(folder: string, changes: string[]): Promise<Running> {
  const settings = ["--listen", "127.0.0.1:0", "--metrics-listen", "off", "--set", "log_level=warn"];
  settings.push(...changes.flatMap((change) => ["--set", change]));
  const process = spawn(binary, ["serve", ...settings, "--data", join(folder, "data")], {
    stdio: ["ignore", "pipe", "inherit"],
    env: environment,
  });
  await once(process, "spawn");
  for await (const line of createInterface({ input: process.stdout })) {
    const url = /^listening on (http:.*)$/.exec(line)?.[1];
    if (url !== undefined) return { url, process };
  }
  throw new Error(`${binary} serve ended without listening`);
}

export class Service {
  #running: Running;
  readonly #folder: string;
  readonly #changes: string[];

  private constructor(running: Running, folder: string, changes: string[]) {
    this.#running = running;
    this.#folder = folder;
    this.#changes = changes;
  }

  get url(): string {
    return this.#running.url;
  }

  /** The data folder. */
  get data(): string {
    return join(this.#folder, "data");
  }

  /** Starts it with some settings changed, as `key=value`. */
  static async start(...changes: string[]): Promise<Service> {
    const folder = await mkdtemp(join(tmpdir(), "rescind-"));
    return new Service(await run(folder, changes), folder, changes);
  }

  /** Ends it without a warning, as a crash does. `resume` starts it again. */
  async kill(): Promise<void> {
    const { process } = this.#running;
    process.kill("SIGKILL");
    await once(process, "exit");
  }

  /** Starts it again on its data, after `kill`. It is at another port then. */
  async resume(): Promise<void> {
    this.#running = await run(this.#folder, this.#changes);
  }

  /** Stops it as an operator would, and expects it to go in peace. */
  async stop(): Promise<void> {
    const { process } = this.#running;
    process.kill("SIGTERM");
    const isOver = process.exitCode !== null || process.signalCode !== null;
    const [code] = isOver ? [process.exitCode] : await once(process, "exit");
    await rm(this.#folder, { recursive: true });
    if (code !== 0) throw new Error(`the service ended with ${code}`);
  }
}
