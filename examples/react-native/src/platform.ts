// What differs between a phone and a browser: this file is the phone's, `platform.web.ts` the browser's.

import { type DeviceInput, secureStorage, type Storage } from "@rescind/client";
import Constants from "expo-constants";
import { getLocales } from "expo-localization";
import * as SecureStore from "expo-secure-store";
import { AppState, BackHandler, Platform } from "react-native";

/** Where the tokens are: the keychain. */
export const storage: Storage = secureStorage(SecureStore);

/** The languages that the user prefers, best first, as in `fr-CA`. */
export const languages = (): string[] => getLocales().map(({ languageTag }) => languageTag);

/** What this device is called in the list of devices. */
export const device: DeviceInput = { name: model(), kind: "mobile" };

function model(): string {
  if (Platform.OS === "android") return `${Platform.constants.Brand} ${Platform.constants.Model}`;
  return Platform.OS === "ios" && Platform.isPad ? "iPad" : "iPhone";
}

/** The height of the system's bar, in which nothing may stand. */
export const topInset: number = Constants.statusBarHeight;

/** Calls `listener` when there may be a connection again: here, when the user comes back to the app. */
export function whenBack(listener: () => void): () => void {
  const subscription = AppState.addEventListener("change", (state) => state === "active" && listener());
  return () => subscription.remove();
}

/** Calls `leave` when the user presses the phone's back button. */
export function whenLeft(leave: () => void): () => void {
  const subscription = BackHandler.addEventListener("hardwareBackPress", () => (leave(), true));
  return () => subscription.remove();
}

/** Names the page for browsers and screen readers. */
export function namePage(_title: string, _language: string): void {}
