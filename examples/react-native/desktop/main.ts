// Starts the website: `EXPO_PUBLIC_RESCIND_URL` says where the service is, `PORT` where the website is to be.

import type { AddressInfo } from "node:net";

import { createSite } from "./server";

const service = process.env["EXPO_PUBLIC_RESCIND_URL"] ?? "http://localhost:8080";
const site = createSite(service);
site.listen(Number(process.env["PORT"] ?? 8082), "127.0.0.1", () => {
  const { port } = site.address() as AddressInfo;
  console.log(`the website is at http://localhost:${port} and asks the service at ${service}`);
});
