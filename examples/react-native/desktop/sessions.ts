// The website's own sessions: a cookie names one, and a client of the service is behind each.

import { type Client, createClient, memoryStorage, type SignedOutReason } from "@rescind/client";
import { randomBytes } from "node:crypto";

/** What a cookie stands for. Tokens stay on the server. */
export interface SiteSession {
  client: Client;
  /** Why it has ended, if the user did not end it here. */
  ended?: SignedOutReason;
}

/** More are not kept: the oldest is signed out. */
const most = 1000;

export class SiteSessions {
  readonly #url: string;
  readonly #kept = new Map<string, SiteSession>();

  constructor(url: string) {
    this.#url = url;
  }

  find(id: string | undefined): SiteSession | undefined {
    return id === undefined ? undefined : this.#kept.get(id);
  }

  /** Signs in at the service, and gives the id for the cookie: a new one each time. */
  async open(username: string, password: string): Promise<string> {
    const session: SiteSession = {
      client: createClient({
        url: this.#url,
        storage: memoryStorage(),
        device: { name: "Website", kind: "desktop" },
        onSignedOut: (reason) => (session.ended = reason),
      }),
    };
    await session.client.login(username, password);
    const id = randomBytes(32).toString("base64url");
    this.#kept.set(id, session);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > most) this.close(oldest);
    return id;
  }

  /** Forgets a session, and signs it out at the service. */
  close(id: string | undefined): void {
    const session = this.find(id);
    if (id !== undefined) this.#kept.delete(id);
    void session?.client.logout().catch(() => {});
  }
}
