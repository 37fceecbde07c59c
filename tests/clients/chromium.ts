// The browser of the tests: Debian's Chromium, or the one that `CHROMIUM` names.

import { type Browser, chromium } from "playwright-core";

export function launched(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    // No sandbox: tests may run as root. The rest keeps the browser from calling home.
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
}
