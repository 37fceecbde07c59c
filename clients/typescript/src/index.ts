/** A client of Rescind: see README.md. */
export { useAxios, type AxiosLike } from "./axios.ts";
export { createClient, type CallOptions, type Client, type ClientOptions } from "./client.ts";
export type { Clock } from "./clock.ts";
export { RescindError, type ErrorCode } from "./error.ts";
export type { SignedOutHere } from "./outbox.ts";
export {
  asyncStorage, keychainStorage, memoryStorage, secureStorage, webStorage,
  type AsyncStorage, type Keychain, type SecureStore, type Storage, type WebStorage,
} from "./storage.ts";
export type { SignedIn, SignedOutReason } from "./stored.ts";
export type {
  Code, Device, DeviceInput, DeviceList, FieldProblem, Me, SignedOut, SignedOutEverywhere, User,
} from "./openapi.ts";
