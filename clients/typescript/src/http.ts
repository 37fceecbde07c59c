// One request to the service, and its answer or a `RescindError`.

import type { Clock } from "./clock.ts";
import { RescindError } from "./error.ts";
import type { Problem } from "./openapi.ts";

export type Fetch = typeof fetch;

export interface Request {
  body?: object;
  /** The access token to send. */
  bearer?: string;
  /** Gives up on the answer; the request may have had its effect. */
  signal?: AbortSignal | undefined;
}

/** Sends a request to a path below `/api/v1/`. */
export type Http = <T extends object>(method: string, path: string, request?: Request) => Promise<T>;

/** `timeout`: milliseconds until a request without a whole answer counts as lost. */
export function createHttp(url: string, fetch: Fetch, clock: Clock, timeout: number): Http {
  const base = `${url.replace(/\/+$/, "")}/api/v1/`;
  return async (method, path, { body, bearer, signal } = {}) => {
    const headers: Record<string, string> = { Accept: "application/json" };
    if (body) headers["Content-Type"] = "application/json";
    if (bearer) headers["Authorization"] = `Bearer ${bearer}`;
    const controller = typeof AbortController === "undefined" ? undefined : new AbortController();
    const init = {
      method,
      headers,
      // A redirect would take the tokens along; cookies and caches have no part in this.
      redirect: "error",
      credentials: "omit",
      cache: "no-store",
      ...(body && { body: JSON.stringify(body) }),
      ...(controller && { signal: controller.signal }),
    } as const;
    const answered = async () => {
      const response = await fetch(base + path, init);
      return [response, await response.text()] as const;
    };
    const lost = (cause?: unknown) => new RescindError("network", { title: "No answer from the service", cause });
    let cancel = () => {};
    const deadline = new Promise<never>((_, reject) => {
      cancel = clock.after(timeout, () => reject(lost("timeout")));
    });
    try {
      const [response, text] = await abortable(
        Promise.race([answered().catch((cause: unknown) => Promise.reject(lost(cause))), deadline]),
        signal,
      );
      return read(response, text, path);
    } catch (error) {
      controller?.abort();
      throw error;
    } finally {
      cancel();
    }
  };
}

/** `promise`, but for a rejection as soon as `signal` is aborted. What `promise` stands for goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason ?? Object.assign(new Error("Aborted"), { name: "AbortError" }));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function read<T extends object>(response: Response, text: string, path: string): T {
  const { ok, status, headers } = response;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // What is no JSON is no answer of the service.
  }
  const problem = (typeof body === "object" && body ? body : {}) as Partial<Problem>;
  if (ok && body === problem) return body as T;
  const retryAfter = Number(headers.get("Retry-After")) || undefined;
  if (ok || typeof problem.code !== "string") {
    throw new RescindError("unexpected_answer", { status, title: "Not an answer of the service", retryAfter });
  }
  const { code, detail, request_id: requestId, errors } = problem;
  // A service of this client's version has all paths and fields that are sent to it, except what the app names: ids of
  // devices, and the fields of `device`.
  const isOld =
    status === 405 ||
    (status === 404 && !/^devices\//.test(path)) ||
    (Array.isArray(errors) && errors.some(({ code, field }) => code === "unknown" && !/\./.test(field)));
  const title = isOld ? "Update the service: it is older than this client" : problem.title;
  throw new RescindError(code, { status, ...(title && { title }), detail, requestId, errors, retryAfter });
}
