// A React Native app's session, as such apps write it with axios: two tokens in storage, a bearer on every request, one
// refresh for however many requests met a 401, and the login screen when even that is refused.
//
//   SERVICE=http://127.0.0.1:8080 npx tsx examples/seed-client.ts      (needs axios)
//
// `createApp` is the client; `main` below walks through its life against a running service and checks every step.

import assert from "node:assert/strict";
import axios, { AxiosError, type AxiosInstance, type InternalAxiosRequestConfig } from "axios";

/** What the app uses of AsyncStorage. */
interface Storage {
  getItem(key: string): Promise<string | null>;
  multiSet(entries: [string, string][]): Promise<void>;
  multiRemove(keys: string[]): Promise<void>;
}

interface Tokens {
  access: string;
  refresh: string;
}

interface App {
  api: AxiosInstance;
  signIn(path: "register" | "login", username: string, password: string): Promise<void>;
  signOut(): Promise<number>;
  signOutEverywhere(): Promise<number>;
}

export function createApp(baseURL: string, storage: Storage, showLoginScreen: (code: string) => void): App {
  const api = axios.create({ baseURL: `${baseURL}/api/v1` });
  const keep = ({ access, refresh }: Tokens) => storage.multiSet([["access", access], ["refresh", refresh]]);
  const forget = () => storage.multiRemove(["access", "refresh"]);

  api.interceptors.request.use(async (request) => {
    const access = await storage.getItem("access");
    if (access !== null) request.headers.set("Authorization", `Bearer ${access}`);
    return request;
  });

  // All requests that meet a 401 with the same token wait for the same refresh; one whose 401 comes late finds it done.
  let refreshing: Promise<void> | null = null;
  async function refreshOnce(refused: InternalAxiosRequestConfig): Promise<void> {
    if (refreshing === null) {
      const access = await storage.getItem("access");
      if (refused.headers.get("Authorization") !== `Bearer ${access}`) return;
    }
    await (refreshing ??= refresh().finally(() => (refreshing = null)));
  }
  async function refresh(): Promise<void> {
    // Past the interceptors: a refused refresh is final.
    const body = { refresh: await storage.getItem("refresh") };
    const { data } = await axios.post<Tokens>(`${baseURL}/api/v1/auth/refresh/`, body);
    await keep(data);
  }

  api.interceptors.response.use(undefined, async (error: AxiosError<{ code: string }>) => {
    const request = error.config as (InternalAxiosRequestConfig & { retried?: boolean }) | undefined;
    const signedIn = (await storage.getItem("refresh")) !== null;
    if (error.response?.status !== 401 || request === undefined || request.retried || !signedIn) throw error;
    try {
      await refreshOnce(request);
    } catch (refused) {
      const code = (refused as AxiosError<{ code: string }>).response?.data.code;
      // Without an answer nobody was signed out: keep the tokens and let the caller try again.
      if (code !== undefined && (await storage.getItem("refresh")) !== null) {
        await forget();
        showLoginScreen(code);
      }
      throw refused;
    }
    return api({ ...request, retried: true } as InternalAxiosRequestConfig);
  });

  return {
    api,
    async signIn(path, username, password) {
      const device = { name: "Ada's phone", kind: "mobile" };
      const { data } = await api.post<Tokens>(`/auth/${path}/`, { username, password, device });
      await keep(data);
    },
    async signOut() {
      const { data } = await api.post<{ signed_out: number }>("/auth/logout/", {
        refresh: await storage.getItem("refresh"),
      });
      await forget();
      return data.signed_out;
    },
    async signOutEverywhere() {
      const { data } = await api.post<{ signed_out: number }>("/auth/logout-all/");
      await forget();
      return data.signed_out;
    },
  };
}

// ---- the flow, against a running service ----------------------------------------------------------------------------

class MemoryStorage implements Storage {
  readonly #items = new Map<string, string>();
  async getItem(key: string) {
    return this.#items.get(key) ?? null;
  }
  async multiSet(entries: [string, string][]) {
    for (const [key, value] of entries) this.#items.set(key, value);
  }
  async multiRemove(keys: string[]) {
    for (const key of keys) this.#items.delete(key);
  }
}

function phone(service: string) {
  const storage = new MemoryStorage();
  const shown: string[] = [];
  return { storage, shown, ...createApp(service, storage, (code) => shown.push(code)) };
}

/** The status and the problem's code of a request that has to be refused. */
async function refusal(request: Promise<unknown>): Promise<string> {
  const error = await request.then(() => assert.fail("answered"), (error: AxiosError<{ code: string }>) => error);
  return `${error.response?.status} ${error.response?.data.code}`;
}

async function main(service: string): Promise<void> {
  const username = `ada-${Date.now()}`;
  const password = "correct horse battery";
  const step = (text: string) => console.log(`ok  ${text}`);
  const ada = phone(service);
  const tablet = phone(service);
  await ada.signIn("register", username, password);
  await tablet.signIn("login", username, password);
  await ada.api.get("/auth/me/");
  step("registered, signed in on a second device");

  // The answer with the new access token is lost: the one in storage is superseded, the refresh token is good.
  await ada.api.post("/auth/logout-others/");
  let refreshes = 0;
  const counting = axios.interceptors.request.use((request) => (refreshes++, request));
  const answers = await Promise.all(Array.from({ length: 8 }, () => ada.api.get("/auth/me/")));
  assert.ok(answers.every(({ status, data }) => status === 200 && data.user.username === username));
  assert.equal(refreshes, 1);
  axios.interceptors.request.eject(counting);
  assert.equal((await ada.api.get("/devices/")).data.results.length, 1);
  step("eight requests met a 401 and all went through after one refresh");

  assert.equal(await refusal(tablet.api.get("/auth/me/")), "401 signed_out_everywhere");
  assert.deepEqual(tablet.shown, ["signed_out_everywhere"]);
  assert.equal(await tablet.storage.getItem("access"), null);
  step("the device that was signed out is back at its login screen");

  await tablet.signIn("login", username, password);
  const left = await ada.storage.getItem("refresh");
  assert.equal(await ada.signOut(), 1);
  assert.equal(await refusal(axios.post(`${service}/api/v1/auth/refresh/`, { refresh: left })), "401 signed_out");
  await tablet.api.get("/auth/me/");
  step("logout ended this device only");

  await ada.signIn("login", username, password);
  assert.equal(await ada.signOutEverywhere(), 2);
  assert.equal(await refusal(tablet.api.get("/auth/me/")), "401 signed_out_everywhere");
  assert.deepEqual([ada.shown, tablet.shown.length], [[], 2]);
  await ada.signIn("login", username, password);
  step("logout-all ended all of them, and signing in again works at once");

  // An app that lost its storage still says goodbye, in whatever form: `{"refresh": null}`, `null`, no body.
  const bearer = { headers: { Authorization: `Bearer ${await ada.storage.getItem("access")}` } };
  const lost = phone(service);
  assert.equal(await refusal(lost.signOut()), "401 token_missing");
  for (const body of [{ refresh: null }, null, undefined]) {
    assert.equal(await refusal(lost.api.post("/auth/logout/", body)), "401 token_missing");
    await ada.signIn("login", username, password);
    assert.equal((await ada.api.post("/auth/logout/", body)).data.signed_out, 1);
  }
  assert.equal((await axios.post(`${service}/api/v1/auth/logout/`, { refresh: null }, bearer)).data.signed_out, 1);
  assert.deepEqual(lost.shown, []);
  step("with empty storage, null and no body the bearer alone names the device");
}

const service = process.env["SERVICE"];
assert.ok(service, "say where the service is: SERVICE=http://127.0.0.1:8080");
main(service).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
