// What an app uses: the operations of the service, and `fetch` for the app's own API.

import { createLock } from "./awaitable.ts";
import { type Clock, systemClock } from "./clock.ts";
import { RescindError } from "./error.ts";
import { abortable, createHttp, type Fetch, type Request } from "./http.ts";
import type {
  Device, DeviceInput, DeviceList, Me, PasswordChanged, Session, SignedOut, SignedOutEverywhere, SignedOutOthers,
} from "./openapi.ts";
import { createOutbox, type SignedOutHere } from "./outbox.ts";
import { createSession, notSignedIn } from "./session.ts";
import type { Storage } from "./storage.ts";
import type { SignedIn, SignedOutReason } from "./stored.ts";

export interface ClientOptions {
  /** Where the service is, as in `https://auth.example.com`. */
  url: string;
  /** Where the session is kept: `secureStorage(SecureStore)`, `webStorage(localStorage)`, … */
  storage: Storage;
  /** What this device is called in the user's list. */
  device?: DeviceInput;
  /**
   * Called once when the session has ended and the app did not ask for it here: the service ended it, or the user signed
   * out in another tab. `reason` is one of the service's codes. Never because of the network.
   */
  onSignedOut: (reason: SignedOutReason) => void;
  /** Called when another session, or none, is held here, also by a sign-in or sign-out in another tab. */
  onChange?: (session: SignedIn | null) => void;
  /** Sends the requests; the platform's `fetch` otherwise. */
  fetch?: Fetch;
  /** Milliseconds until a request to the service without an answer counts as lost; 30,000 otherwise. */
  timeout?: number;
  /** Time, for tests. */
  clock?: Clock;
}

export interface CallOptions {
  /** Gives up on the answer. What was sent may have its effect, and a refresh goes on for others. */
  signal?: AbortSignal;
}

export interface Client {
  /** Makes an account and signs in. */
  register(username: string, password: string, options?: CallOptions): Promise<SignedIn>;
  /** Signs in; a session that was held before is signed out. */
  login(username: string, password: string, options?: CallOptions): Promise<SignedIn>;
  /** Signs this device out: here at once, also offline. `delivered` says whether the service knows by now. */
  logout(): Promise<SignedOutHere>;
  /**
   * Signs out all devices of the user: here at once, also offline. `wait` (`1s`, `250ms`) lets the answer wait for resource
   * servers, `in_force` says whether all have confirmed. Rejects if the service refused it.
   */
  logoutAll(options?: { wait?: string }): Promise<SignedOutHere>;
  /** Signs out all other devices of the user. */
  logoutOthers(options?: CallOptions): Promise<Pick<SignedOutOthers, "signed_out" | "generation">>;
  /** Asks the service who is signed in. */
  me(options?: CallOptions): Promise<Me>;
  devices: {
    list(options?: CallOptions & { after?: string; limit?: number }): Promise<DeviceList>;
    rename(id: string, name: string, options?: CallOptions): Promise<Device>;
    /** Signs out one device; this one as `logout` does. */
    end(id: string, options?: CallOptions): Promise<SignedOut>;
  };
  /** Changes the password, which signs out all other devices. */
  changePassword(current: string, next: string, options?: CallOptions): Promise<SignedOut>;
  /** Deletes the account. */
  deleteAccount(password: string, options?: CallOptions): Promise<SignedOutEverywhere>;
  /**
   * `fetch` with the access token, for servers that take tokens of the service: give it no other address. Refreshes before
   * the token expires, and when it is refused with 401, then sends the request again. Without a session it sends no token.
   */
  fetch: Fetch;
  /**
   * An access token that should work, other than `refused`; null if nobody is signed in. For sockets and other HTTP
   * clients.
   */
  accessToken(refused?: string): Promise<string | null>;
  /** Who is signed in here, as far as this device knows. */
  session(): Promise<SignedIn | null>;
  /**
   * Tells the service of sign-outs that wait, as the client does by itself from time to time. `delivered` says whether it
   * knows of all by now.
   */
  flush(): Promise<{ delivered: boolean }>;
}

/** Makes a client. An app needs one; several of them, as in several tabs, may share a storage. */
export function createClient(options: ClientOptions): Client {
  const { url, storage, device, onSignedOut, onChange = () => {}, timeout = 30_000, clock = systemClock() } = options;
  const send: Fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  const http = createHttp(url, send, clock, timeout);
  const lock = createLock();
  const outbox = createOutbox(storage, http, clock, lock);
  const session = createSession({ http, storage, outbox, clock, lock, timeout, onSignedOut, onChange });

  /** Sends a request with the access token, and once more with a new one if that is refused. */
  async function authorized<T extends object>(method: string, path: string, request: Request = {}): Promise<T> {
    const { signal } = request;
    const bearer = await abortable(session.access(), signal);
    if (!bearer) throw notSignedIn();
    try {
      return await http(method, path, { ...request, bearer });
    } catch (error) {
      if ((error as RescindError).status !== 401) throw error;
      const next = await abortable(session.access(bearer), signal);
      if (!next || next === bearer) throw error;
      return http(method, path, { ...request, bearer: next });
    }
  }

  const signIn = (path: string) => (username: string, password: string, { signal }: CallOptions = {}) =>
    abortable(
      session.open((refresh) => {
        const previous = path === "auth/login" && refresh ? { refresh } : {};
        return http<Session>("POST", path, { body: { username, password, ...(device && { device }), ...previous } });
      }),
      signal,
    );

  async function leave(more?: { all: true; wait?: string | undefined }): Promise<SignedOutHere> {
    const left = await session.leave(more);
    return left ? outbox.outcome(left) : { delivered: true, signed_out: 0 };
  }

  const appFetch: Fetch = async (input, init) => {
    const request = typeof input === "object" && "headers" in input ? input : undefined;
    const signal = init?.signal ?? request?.signal;
    const once = (token: string | null) => {
      const headers = new Headers(init?.headers ?? request?.headers);
      if (token) headers.set("Authorization", `Bearer ${token}`);
      return send(request ? request.clone() : input, { ...init, headers });
    };
    const token = await abortable(session.access(), signal);
    const response = await once(token);
    const isStream = typeof (init?.body as ReadableStream | undefined)?.getReader === "function";
    if (response.status !== 401 || !token) return response;
    const next = await abortable(session.access(token), signal);
    return !next || next === token || isStream ? response : once(next);
  };

  return {
    register: signIn("auth/register"),
    login: signIn("auth/login"),
    logout: () => leave(),
    logoutAll: ({ wait } = {}) => leave({ all: true, wait }),
    async logoutOthers({ signal } = {}) {
      const send = () => authorized<SignedOutOthers>("POST", "auth/logout-others");
      const { signed_out, generation } = await abortable(session.logoutOthers(send), signal);
      return { signed_out, generation };
    },
    me: ({ signal } = {}) => authorized("GET", "auth/me", { signal }),
    devices: {
      list({ signal, after, limit } = {}) {
        const query = [after && `after=${encodeURIComponent(after)}`, limit && `limit=${limit}`].filter(Boolean).join("&");
        return authorized("GET", `devices${query && `?${query}`}`, { signal });
      },
      rename: async (id, name, { signal } = {}) =>
        authorized("PATCH", `devices/${segment(id)}`, { body: { name }, signal }),
      async end(id, { signal } = {}) {
        const path = `devices/${segment(id)}`;
        if (id !== (await session.current())?.device.id) return authorized("DELETE", path, { signal });
        const { signed_out = 1 } = await leave();
        return { signed_out };
      },
    },
    async changePassword(current, next, { signal } = {}) {
      const body = { current_password: current, new_password: next };
      const send = () => authorized<PasswordChanged>("POST", "auth/password", { body });
      const { signed_out } = await abortable(session.changePassword(send), signal);
      return { signed_out };
    },
    async deleteAccount(password, { signal } = {}) {
      const answer = await authorized<SignedOutEverywhere>("POST", "auth/delete-account", { body: { password }, signal });
      await session.drop();
      return answer;
    },
    fetch: appFetch,
    accessToken: (refused) => session.access(refused),
    session: () => session.current(),
    flush: () => outbox.flush().then(() => ({ delivered: outbox.isEmpty() })),
  };
}

/** `id` as one segment of a path. URL parsers remove `.` and `..` however they are written. */
function segment(id: string): string {
  if (/^\.{0,2}$/.test(id)) throw new RescindError("not_found", { title: "This is not an id" });
  return encodeURIComponent(id);
}
