// What the app uses of Expo's packages, which `npm ci` does not install here. An app of its own has their types.

declare module "expo" {
  export function registerRootComponent(component: import("react").ComponentType): void;
}

declare module "expo-secure-store" {
  export function getItemAsync(key: string, options?: object): Promise<string | null>;
  export function setItemAsync(key: string, text: string, options?: object): Promise<void>;
  export function deleteItemAsync(key: string, options?: object): Promise<void>;
}

declare module "expo-localization" {
  export function getLocales(): { languageTag: string }[];
}

declare module "expo-constants" {
  const constants: { statusBarHeight: number };
  export default constants;
}
