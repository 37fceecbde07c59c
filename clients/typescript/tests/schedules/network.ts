// The network between the apps of a schedule and the service: it loses, repeats, delays and reorders.

import { Agent, request as httpRequest } from "node:http";

import type { DeviceRecord, Ledger } from "./ledger.ts";
import type { Life } from "./life.ts";
import type { Steps } from "./steps.ts";

export const lifetime = 900_000;

/** The service, and what the harness may do there: it opens most sessions without a password, which takes long to hash. */
export interface Backend {
  url: string;
  user: string;
  key: string;
}

export interface Answer {
  status: number;
  body: any;
}

const agent = new Agent({ keepAlive: true });

export function ask(backend: Backend, method: string, path: string, bearer?: string, body?: object): Promise<Answer> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (bearer) headers["Authorization"] = `Bearer ${bearer}`;
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${backend.url}/api/v1/${path}`, { method, agent, headers }, async (answer) => {
      let text = "";
      for await (const chunk of answer) text += chunk;
      resolve({ status: answer.statusCode!, body: JSON.parse(text) });
    });
    sent.on("error", reject);
    sent.end(body && JSON.stringify(body));
  });
}

/** The password of a sign-in that the harness answers with a session which it opens. */
export const noPassword = "…";

export const signIn = (backend: Backend) =>
  ask(backend, "POST", `admin/users/${backend.user}/sessions`, backend.key, {});

/** One end of the network: all app instances of one place. */
export class Network {
  online = true;
  /** Is told what the service has done. */
  onEffect: (what: string, bearer: DeviceRecord | undefined, sent: any) => void = () => {};

  readonly place: string;
  readonly steps: Steps;
  readonly ledger: Ledger;
  readonly backend: Backend;

  constructor(place: string, steps: Steps, ledger: Ledger, backend: Backend) {
    this.place = place;
    this.steps = steps;
    this.ledger = ledger;
    this.backend = backend;
}

  /** The `fetch` of an app instance. */
  fetch(life: Life): typeof fetch {
    const alive = () => life.alive;
    return ((input: string, init: RequestInit) =>
      new life.Promise((resolve, reject) => {
        const { steps, ledger } = this;
        const path = input.replace(/^.*\/api\/v1\//, "");
        const what = `${init.method ?? "GET"} ${path.replace(/\?.*|[0-9a-f-]{36}/g, "")}`;
        const name = new Headers(init.headers).get("Authorization")?.slice("Bearer ".length);
        const body = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
        const begun = steps.trace.length;
        const shown = what === "POST auth/refresh" ? ledger.refresh.get(body.refresh) : undefined;
        // What is sent in time is not used again later than the service forgives: no message lives that long.
        const inTime = !shown || shown.sequence >= shown.device.sequence - 1;
        const listening = () => alive() && !init.signal?.aborted;
        let settled = false;
        const settle = (end: () => void) => {
          if (!settled && alive()) end();
          settled = true;
        };
        const lose = () => settle(() => reject(new TypeError("Network request failed")));
        const forward = async () => {
          if (!this.online || steps.happens(0.1)) return lose();
          const tooOld = shown && shown.sequence < shown.device.sequence - 1 && shown.sequence >= shown.device.floor;
          if (tooOld && inTime) return lose();
          const answer = await this.#answer(what, path, name, body, begun, alive);
          steps.note(`  ${this.place} ${what}: ${answer.status} ${answer.body.code ?? ""}`);
          if (steps.happens(0.1)) steps.add(`${this.place} ${what} again`, forward);
          steps.add(`${this.place} answer to ${what}`, () => {
            if (!this.online || steps.happens(0.1)) return lose();
            if (!settled && listening()) this.#delivered(answer.body);
            settle(() => resolve(response(answer)));
          });
        };
        steps.add(`${this.place} ${what}`, forward);
      })) as typeof fetch;
  }

  /** What the service answers, in this schedule's time. */
  async #answer(
    what: string, path: string, name: string | undefined, body: any, begun: number, alive: () => boolean,
  ): Promise<Answer> {
    const { ledger, backend, steps } = this;
    const known = name === undefined ? undefined : ledger.access.get(name);
    if (known && steps.time - known.issued >= lifetime) {
      const verdict = await ask(backend, "GET", "auth/me", known.token);
      return verdict.status === 200 ? expired : verdict;
    }
    const isSignIn = what === "POST auth/login" || what === "POST auth/register";
    const isWithoutPassword = isSignIn && body.password === noPassword;
    const answer = isWithoutPassword
      ? await signIn(backend)
      : await ask(backend, what.split(" ")[0]!, path, known?.token ?? name, body);
    if (answer.status >= 300) return answer;
    const session = answer.body.session ?? answer.body;
    if (isSignIn) {
      ledger.opened({ id: session.device.id, user: session.user.username, place: this.place, begun, alive });
    }
    const device = session.device?.id ? ledger.devices.get(session.device.id) : known?.device;
    this.onEffect(what, device, body);
    if (!device) return answer;
    if (session.refresh) {
      const shown = what === "POST auth/refresh" && ledger.refresh.get(body.refresh)?.sequence;
      if (what === "POST auth/password" || shown === device.sequence) device.sequence++;
      if (what === "POST auth/password") device.floor = device.sequence;
      ledger.refresh.set(session.refresh, { device, sequence: device.sequence });
    }
    if (session.access) session.access = ledger.name(session.access, device, steps.time);
    return answer;
  }

  #delivered(body: any): void {
    const known = this.ledger.access.get((body.session ?? body).access);
    if (!known) return;
    known.device.delivered = true;
    known.device.access.add((body.session ?? body).access);
  }
}

const expired: Answer = { status: 401, body: { code: "token_expired", title: "The token has expired" } };

/** As much of a response as a client reads; it is all there already. */
function response({ status, body }: Answer): Response {
  const text = JSON.stringify(body);
  return { ok: status < 300, status, headers: new Headers(), text: async () => text } as Response;
}
