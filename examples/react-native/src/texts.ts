// What the app says: one table per language, which the compiler keeps complete.

import type { Device, ErrorCode, RescindError, SignedOutReason } from "@rescind/client";

import { en } from "./texts/en";
import { fr } from "./texts/fr";

/** A text may be missing where the code of an error is not one that people meet. */
type Some<Key extends string> = Partial<Record<Key, string>>;

export interface Texts {
  /** The language's own name. */
  language: string;
  /** How its dates are written. */
  locale: string;
  starting: string;
  retry: string;
  cancel: string;
  back: string;

  signIn: string;
  signInWith: string;
  register: string;
  registerWith: string;
  toRegister: string;
  toSignIn: string;
  username: string;
  password: string;
  fill: string;

  home: string;
  hello(name: string): string;
  signedInSince(date: string): string;
  checked: string;
  offline: string;

  devices: string;
  thisDevice: string;
  lastSeen(when: string): string;
  end: string;
  endNamed(name: string): string;
  endTitle(name: string): string;
  endText: string;
  ended(name: string): string;
  now: string;
  minutesAgo(minutes: number): string;
  hoursAgo(hours: number): string;
  on(date: string): string;

  signOut: string;
  signOutTitle: string;
  signOutText: string;
  onThisDevice: string;
  onAllDevices: string;
  leftHere: string;
  leftEverywhere(devices: number | undefined): string;
  leftHereUntold: string;
  leftEverywhereUntold: string;
  otherDevicesStay: string;

  /** Why a session ended: one text for each reason, or this does not compile. */
  reasons: Record<SignedOutReason, string>;
  errors: Some<ErrorCode>;
  fields: { username: Some<string>; password: Some<string> };
  waitFor(seconds: number): string;
  unknown(code: string, request: string | undefined): string;

  site: string;
  siteSignInWith: string;
  siteText: string;
  sitePage(page: number): string;
  siteNext: string;
}

const tables = { en, fr };
export type Language = keyof typeof tables;
export const languages = Object.keys(tables) as Language[];
export const textsIn = (language: Language): Texts => tables[language];

/** The best of the languages that the user prefers; English if there is none. */
export function preferred(tags: readonly string[]): Language {
  const known = tags.map((tag) => tag.toLowerCase().split("-")[0]).filter((tag) => tag !== undefined && tag in tables);
  return (known[0] as Language | undefined) ?? "en";
}

/** An error in plain words. */
export function describe(error: unknown, texts: Texts): string {
  const { code, errors, retryAfter, requestId } = error as RescindError;
  const fields: Record<string, Some<string>> = texts.fields;
  const [field] = errors ?? [];
  if (field) return fields[field.field]?.[field.code] ?? texts.errors[code as ErrorCode] ?? texts.unknown(code, requestId);
  if (code === "rate_limited") return texts.waitFor(retryAfter ?? 60);
  return texts.errors[code as ErrorCode] ?? texts.unknown(code ?? String(error), requestId);
}

/** When a device was last heard of, as people say it. */
export function lastSeen({ last_seen_at, created_at }: Device, texts: Texts, now: Date): string {
  const seen = new Date(last_seen_at ?? created_at);
  const minutes = Math.floor((now.getTime() - seen.getTime()) / 60_000);
  if (minutes < 1) return texts.lastSeen(texts.now);
  if (minutes < 60) return texts.lastSeen(texts.minutesAgo(minutes));
  if (minutes < 24 * 60) return texts.lastSeen(texts.hoursAgo(Math.floor(minutes / 60)));
  return texts.lastSeen(texts.on(day(seen, texts)));
}

/** The day of `date`, as in `27 November 2026`. */
export function day(date: Date, texts: Texts): string {
  return date.toLocaleDateString(texts.locale, { day: "numeric", month: "long", year: "numeric" });
}
