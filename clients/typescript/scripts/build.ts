// Builds `dist/`: one minified module in two formats, with types for each.

import { copyFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { build } from "esbuild";

import { generate } from "./generate.ts";

const folder = join(import.meta.dirname, "..");
const dist = join(folder, "dist");

await rm(dist, { recursive: true, force: true });
await generate();
for (const [format, name] of [["esm", "index.js"], ["cjs", "index.cjs"]] as const) {
  await build({
    entryPoints: [join(folder, "src/index.ts")],
    outfile: join(dist, name),
    bundle: true,
    format,
    target: "es2020",
    platform: "neutral",
    minify: true,
    sourcemap: true,
    logLevel: "warning",
  });
}
// The types of each format name files of that format.
execFileSync(join(folder, "node_modules/.bin/tsc"), ["--project", join(folder, "tsconfig.build.json")], { stdio: "inherit" });
for (const name of await readdir(dist)) {
  if (!name.endsWith(".d.ts")) continue;
  const types = await readFile(join(dist, name), "utf8");
  await writeFile(join(dist, name), types.replace(/(from "\.\/\w+)\.ts"/g, '$1.js"'));
  await writeFile(join(dist, name.replace(/ts$/, "cts")), types.replace(/(from "\.\/\w+)\.ts"/g, '$1.cjs"'));
}
for (const licence of ["LICENSE-APACHE", "LICENSE-MIT"]) {
  await copyFile(join(folder, "../..", licence), join(folder, licence));
}
