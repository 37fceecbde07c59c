// The session for an app that calls its API through axios.

import type { Client } from "./client.ts";

interface Config {
  url?: string | undefined;
  baseURL?: string | undefined;
  /** Sent again after a refresh. */
  isRepeated?: true;
  headers: { set(name: string, value: string): unknown; delete(name: string): unknown };
}

interface Interceptors<T> {
  use(fulfilled: ((value: T) => T | Promise<T>) | undefined, rejected?: (error: any) => any): number;
}

/** A part of an axios instance (axios 1.x). */
export interface AxiosLike {
  interceptors: { request: Interceptors<any>; response: Interceptors<any> };
  request(config: any): Promise<any>;
}

/**
 * Lets an axios instance send the access token to the origin of its `baseURL`, and to `origins`, refresh when it is refused
 * with 401, and send the request again. Requests to other origins get no token. An error of axios no longer holds it.
 */
export function useAxios<T extends AxiosLike>(axios: T, client: Client, origins: string[] = []): T {
  const sent = new WeakMap<object, string>();

  axios.interceptors.request.use(async (config: Config) => {
    const to = origin(config.url) ?? origin(config.baseURL);
    if (to !== origin(config.baseURL) && !origins.includes(to as string)) return config;
    const token = await client.accessToken();
    if (token) {
      config.headers.set("Authorization", `Bearer ${token}`);
      sent.set(config, token);
    }
    return config;
  });
  axios.interceptors.response.use(undefined, async (error: { config?: Config; request?: unknown; response?: any }) => {
    const { config, response } = error;
    const token = config && sent.get(config);
    if (!config || !token) throw error;
    config.headers.delete("Authorization");
    // In Node.js these hold the headers as they were sent.
    for (const holder of [error, response]) {
      if (holder?.request) Object.defineProperty(holder, "request", { value: undefined, enumerable: false });
    }
    if (response?.status !== 401 || config.isRepeated) throw error;
    const next = await client.accessToken(token);
    if (!next || next === token) throw error;
    return axios.request({ ...config, isRepeated: true });
  });
  return axios;
}

/** The origin of an absolute URL. `URL` is incomplete in React Native. */
const origin = (url?: string) => /^(?:[a-z][a-z\d+.-]*:)?\/\/[^/?#]+/i.exec(url ?? "")?.[0].toLowerCase();
