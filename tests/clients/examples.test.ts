// What `examples/` shows works as it stands there.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

import { binary, Service } from "./service.ts";

const examples = join(import.meta.dirname, "../../examples");

test("demo.sh", () => {
  const demo = spawnSync(join(examples, "demo.sh"), { env: { ...process.env, RESCIND: binary }, encoding: "utf8" });
  console.log(demo.stdout);
  assert.equal(demo.status, 0, demo.stdout + demo.stderr);
  assert.match(demo.stdout, /the first request after its answer was refused [0-9.]+ ms later\.\n$/);
});

test("seed-client.ts", async () => {
  const service = await Service.start();
  try {
    const script = ["--import", "tsx", join(examples, "seed-client.ts")];
    const client = spawnSync(process.execPath, script, {
      cwd: import.meta.dirname,
      env: { ...process.env, SERVICE: service.url, TSX_TSCONFIG_PATH: join(import.meta.dirname, "tsconfig.json") },
      encoding: "utf8",
    });
    console.log(client.stdout);
    assert.equal(client.status, 0, client.stdout + client.stderr);
    assert.equal(client.stdout.match(/^ok /gm)?.length, 6);
  } finally {
    await service.stop();
  }
});
