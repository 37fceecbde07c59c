// Builds the app for browsers into `dist/web/`, and the website into `dist/desktop.mjs`. `--serve` keeps serving the app.

import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { build, context } from "esbuild";

const folder = import.meta.dirname;
const service = process.env.EXPO_PUBLIC_RESCIND_URL ?? "http://localhost:8080";
const port = 8081;

const app = {
  // Where the alias below is looked up.
  absWorkingDir: folder,
  entryPoints: { app: join(folder, "web/main.tsx") },
  outdir: join(folder, "dist/web"),
  bundle: true,
  minify: true,
  sourcemap: true,
  target: "es2022",
  jsx: "automatic",
  // As Expo's bundler does it: components of the browser, and `x.web.ts` in place of `x.ts`.
  alias: { "react-native": "react-native-web" },
  resolveExtensions: [".web.tsx", ".web.ts", ".tsx", ".ts", ".mjs", ".js"],
  define: {
    "process.env.NODE_ENV": '"production"',
    "process.env.EXPO_PUBLIC_RESCIND_URL": JSON.stringify(service),
    global: "globalThis",
  },
  logLevel: "warning",
};

await mkdir(app.outdir, { recursive: true });
await copyFile(join(folder, "web/index.html"), join(app.outdir, "index.html"));
await build({
  entryPoints: [join(folder, "desktop/main.ts")],
  outfile: join(folder, "dist/desktop.mjs"),
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  logLevel: "warning",
});
if (process.argv.includes("--serve")) {
  const watching = await context(app);
  await watching.watch();
  await watching.serve({ servedir: app.outdir, host: "127.0.0.1", port });
  console.log(`the app is at http://localhost:${port} and asks the service at ${service}`);
} else {
  await build(app);
}
