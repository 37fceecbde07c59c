// What a stranger gets: the package's files, its size, both formats with types, and nothing that React Native lacks.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { gzipSync } from "node:zlib";

import { newUser, openStorage, password, theService } from "./harness.ts";

const folder = join(import.meta.dirname, "..");
const service = theService();

/** An app with the package installed. */
async function anApp(): Promise<string> {
  const place = await mkdtemp(join(tmpdir(), "rescind-app-"));
  after(() => rm(place, { recursive: true }));
  await mkdir(join(place, "node_modules/@rescind"), { recursive: true });
  await symlink(folder, join(place, "node_modules/@rescind/client"));
  return place;
}

test("the package has the built files, the README and the licences, and nothing else", () => {
  const [packed] = JSON.parse(
    execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: folder, encoding: "utf8" }),
  );
  const modules = [
    "awaitable", "axios", "client", "clock", "error", "http", "index", "openapi", "outbox", "session", "storage", "stored",
  ];
  const expected = [
    "LICENSE-APACHE", "LICENSE-MIT", "README.md", "package.json",
    ...["index.js", "index.js.map", "index.cjs", "index.cjs.map"].map((name) => `dist/${name}`),
    ...modules.flatMap((name) => [`dist/${name}.d.ts`, `dist/${name}.d.cts`]),
  ];
  assert.deepEqual(packed.files.map(({ path }: { path: string }) => path).sort(), expected.sort());
});

test("the package depends on nothing", async () => {
  const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  for (const kind of ["dependencies", "peerDependencies", "optionalDependencies"]) assert.equal(kind in manifest, false);
  assert.equal(manifest.license, "MIT OR Apache-2.0");
});

// The modules as they are published: everything is in one, minified.
test("each format has at most 6 kB gzipped", async () => {
  for (const name of ["index.js", "index.cjs"]) {
    const { length } = gzipSync(await readFile(join(folder, "dist", name)), { level: 9 });
    console.log(`${name}: ${length} bytes gzipped`);
    assert.ok(length <= 6000, `${name}: ${length} bytes`);
  }
});

test("import and require give the same names", async () => {
  const place = await anApp();
  const list = 'process.stdout.write(Object.keys(client).filter((name) => name !== "default").sort().join())';
  await writeFile(join(place, "app.mjs"), `import * as client from "@rescind/client";\n${list}`);
  await writeFile(join(place, "app.cjs"), `const client = require("@rescind/client");\n${list}`);
  const names = ["app.mjs", "app.cjs"].map((name) => execFileSync(process.execPath, [name], { cwd: place, encoding: "utf8" }));
  const expected =
    "RescindError,asyncStorage,createClient,keychainStorage,memoryStorage,secureStorage,useAxios,webStorage";
  assert.deepEqual(names, [expected, expected]);
});

test("both formats and the example of the README have types", async () => {
  const place = await anApp();
  const readme = await readFile(join(folder, "README.md"), "utf8");
  const example = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? "";
  assert.match(example, /createClient/);
  assert.ok(example.trim().split("\n").length <= 14);
  const use = `
    import { createClient, memoryStorage, type Client, type Device, type SignedOutReason } from "@rescind/client";
    declare const texts: Record<SignedOutReason, string>;
    export const client: Client = createClient({ url: "", storage: memoryStorage(), onSignedOut: (reason) => texts[reason] });
    // @ts-expect-error: reasons without a text
    export const incomplete: typeof texts = { signed_out: "" };
    export const devices: Promise<Device[]> = client.devices.list().then(({ results }) => results);
    // @ts-expect-error
    createClient({ url: "" });`;
  await symlink(join(folder, "node_modules/expo-secure-store"), join(place, "node_modules/expo-secure-store"));
  await writeFile(join(place, "example.mts"), `declare function showSignIn(reason: string): void;\n${example}`);
  await writeFile(join(place, "esm.mts"), use);
  await writeFile(join(place, "cjs.cts"), use);
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom"];
  const files = ["example.mts", "esm.mts", "cjs.cts"];
  execFileSync(join(folder, "node_modules/.bin/tsc"), [...options, ...files], { cwd: place, stdio: "inherit" });
});

test("the example of the README signs in and calls the API", async () => {
  const place = await anApp();
  const readme = await readFile(join(folder, "README.md"), "utf8");
  const example = /```ts\n(.*?)```/s.exec(readme)![1]!;
  const credentials = JSON.stringify({ username: "ada", password });
  const registered = await fetch(`${service.url}/api/v1/auth/register`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: credentials,
  });
  assert.equal(registered.status, 201);
  await mkdir(join(place, "node_modules/expo-secure-store"));
  const library = `
    const texts = new Map();
    export const getItemAsync = async (key) => texts.get(key) ?? null;
    export const setItemAsync = async (key, text) => void texts.set(key, text);
    export const deleteItemAsync = async (key) => void texts.delete(key);`;
  await writeFile(join(place, "node_modules/expo-secure-store/index.mjs"), library);
  await writeFile(join(place, "node_modules/expo-secure-store/package.json"), '{ "exports": "./index.mjs" }');
  const here = example
    .replace("https://auth.example.com", service.url)
    .replace("https://api.example.com/orders", `${service.url}/api/v1/auth/me`);
  await writeFile(join(place, "app.mjs"), `${here}\nprocess.stdout.write((await answer.json()).user.username);`);
  assert.equal(execFileSync(process.execPath, ["app.mjs"], { cwd: place, encoding: "utf8" }), "ada");
});

test("the package runs with fetch and timers alone", async () => {
  const code = await readFile(join(folder, "dist/index.cjs"), "utf8");
  const module = { exports: {} as typeof import("../src/index.ts") };
  // A fresh context has what the language has: no performance, no AbortController, no process, no window.
  runInContext(code, createContext({ module, fetch, Headers, setTimeout, clearTimeout }));
  const { storage, texts } = openStorage();
  const reasons: string[] = [];
  const client = module.exports.createClient({ url: service.url, storage, onSignedOut: (reason) => reasons.push(reason) });
  const username = newUser();
  await client.register(username, password);
  assert.equal((await client.me()).user.username, username);
  assert.equal((await client.fetch(`${service.url}/api/v1/auth/me`)).status, 200);
  assert.equal((await client.logout()).delivered, true);
  assert.deepEqual([texts.size, reasons.length], [0, 0]);
});
