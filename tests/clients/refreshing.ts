// Clients as they are found in apps: how each refreshes when a request is answered 401. Nothing here knows the service.

import axios, { type AxiosInstance, type InternalAxiosRequestConfig } from "axios";
import { createAuthRefresh } from "axios-auth-refresh";

/** What an app keeps; reading and writing take a turn, as they do on a phone. */
export class Storage {
  access: string | null;
  refresh: string | null;
  /** The code for which the app signed its user out. */
  signedOut: string | undefined;
  refreshes = 0;

  constructor(access: string, refresh: string) {
    this.access = access;
    this.refresh = refresh;
  }

  async read(key: "access" | "refresh"): Promise<string | null> {
    await turn();
    return this[key];
  }

  async write(key: "access" | "refresh", token: string): Promise<void> {
    await turn();
    this[key] = token;
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Refreshes with `token`; a refusal signs the user out, as apps do. */
async function refresh(url: string, storage: Storage, token: string | null): Promise<string> {
  storage.refreshes += 1;
  try {
    const { data } = await axios.post(`${url}/api/v1/auth/refresh/`, { refresh: token });
    await storage.write("access", data.access);
    await storage.write("refresh", data.refresh);
    return data.access;
  } catch (error) {
    if (axios.isAxiosError(error) && error.response?.status === 401) {
      storage.signedOut = error.response.data.code;
      storage.access = storage.refresh = null;
    }
    throw error;
  }
}

type Retried = InternalAxiosRequestConfig & { retried?: boolean; held?: string | null };

function bearing(url: string, storage: Storage): AxiosInstance {
  const api = axios.create({ baseURL: url });
  api.interceptors.request.use(async (config: Retried) => {
    config.headers.Authorization = `Bearer ${await storage.read("access")}`;
    config.held = await storage.read("refresh");
    return config;
  });
  return api;
}

function onRefusal(api: AxiosInstance, renew: (refused: Retried) => Promise<string>): AxiosInstance {
  api.interceptors.response.use(undefined, async (error) => {
    const refused: Retried = error.config;
    if (error.response?.status !== 401 || refused.retried) throw error;
    refused.retried = true;
    await renew(refused);
    return api(refused);
  });
  return api;
}

export const clients = {
  "one refresh in flight and a queue": (url: string, storage: Storage) => {
    let inFlight: Promise<string> | undefined;
    return onRefusal(bearing(url, storage), async () => {
      inFlight ??= refresh(url, storage, await storage.read("refresh")).finally(() => (inFlight = undefined));
      return inFlight;
    });
  },
  "each request refreshes with what is stored": (url: string, storage: Storage) =>
    onRefusal(bearing(url, storage), async () => refresh(url, storage, await storage.read("refresh"))),
  "each request refreshes with what was stored when it was made": (url: string, storage: Storage) =>
    onRefusal(bearing(url, storage), ({ held }) => refresh(url, storage, held ?? null)),
  "axios-auth-refresh": (url: string, storage: Storage) => {
    const api = bearing(url, storage);
    createAuthRefresh(api, async (refused) => {
      await refresh(url, storage, await storage.read("refresh"));
      return refused;
    });
    return api;
  },
};
