// Makes `src/openapi.ts`: the types of the service's document that this package uses, and its codes.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import openapiTS, { astToString, type OpenAPI3 } from "openapi-typescript";

const folder = join(import.meta.dirname, "..");

/** The schemas that are part of this package's interface, with all that they refer to. */
const used = [
  "Session", "User", "Device", "DeviceInput", "DeviceList", "Me", "Problem", "FieldProblem", "SignedOut",
  "SignedOutEverywhere", "SignedOutOthers", "PasswordChanged", "Credentials", "Login", "Refresh", "Logout",
  "ChangePassword", "DeleteAccount", "RenameDevice",
];

/** The codes that the description of a problem's `code` lists, with their statuses. */
export function codes(document: any): [code: string, status: number][] {
  const text: string = document.components.schemas.Problem.properties.code.description;
  return [...text.matchAll(/^\* `(\w+)` \((\d+)/gm)].map(([, code, status]) => [code!, Number(status)]);
}

export async function readDocument(): Promise<any> {
  return JSON.parse(await readFile(join(folder, "../../openapi/openapi.json"), "utf8"));
}

export async function generate(): Promise<void> {
  const { openapi, info, components } = await readDocument();
  const schemas: Record<string, unknown> = {};
  for (const name of used) {
    if (!(name in components.schemas)) throw new Error(`openapi/openapi.json has no schema ${name}`);
    schemas[name] = components.schemas[name];
  }
  const types = astToString(await openapiTS({ openapi, info, paths: {}, components: { schemas } } as OpenAPI3));
  const list = codes({ components });
  if (list.length < 20) throw new Error("the description of `code` no longer lists the codes");
  const text = [
    "// Made from openapi/openapi.json by scripts/generate.ts.",
    "",
    types.slice(types.indexOf("export interface components")).replace(/^export type (\$defs|operations).*$/gm, ""),
    ...used.map((name) => `export type ${name} = components["schemas"]["${name}"];`),
    "",
    "/** The codes of the service's errors. */",
    `export type Code = ${list.map(([code]) => `"${code}"`).join(" | ")};`,
    "",
  ];
  await writeFile(join(folder, "src/openapi.ts"), text.join("\n"));
}
