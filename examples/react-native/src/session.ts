// The session as the screens see it: one state, made from what the client says.

import {
  type Client, type ClientOptions, createClient, type SignedIn, type SignedOutHere, type SignedOutReason,
} from "@rescind/client";

/** What the sign-in page says of the session that was here before. */
export type Notice =
  /** It was ended, and not by the user of this device. */
  | { kind: "ended"; reason: SignedOutReason }
  /** The user has signed out. */
  | { kind: "left"; where: Where; outcome: SignedOutHere }
  /** The user has signed out, and the service refused to sign out the other devices. */
  | { kind: "refused"; error: unknown };

export type Where = "here" | "everywhere";

export type State =
  | { at: "starting" }
  | { at: "unreadable"; error: unknown }
  | { at: "signed_out"; notice?: Notice }
  | { at: "signed_in"; session: SignedIn };

export class Session {
  readonly client: Client;
  #state: State = { at: "starting" };
  readonly #listeners = new Set<() => void>();

  constructor(options: Omit<ClientOptions, "onSignedOut" | "onChange">) {
    this.client = createClient({
      ...options,
      // Sign-ins and sign-outs, in this window or another one.
      onChange: (session) => this.#enter(session ? { at: "signed_in", session } : { at: "signed_out" }),
      // Ended from elsewhere: the reason goes to the sign-in page.
      onSignedOut: (reason) => this.#enter({ at: "signed_out", notice: { kind: "ended", reason } }),
    });
    void this.start();
  }

  /** Finds the session that is stored here; also after a storage that could not be read. */
  start = async (): Promise<void> => {
    this.#enter({ at: "starting" });
    try {
      const session = await this.client.session();
      this.#enter(session ? { at: "signed_in", session } : { at: "signed_out" });
    } catch (error) {
      this.#enter({ at: "unreadable", error });
    }
  };

  /** Signs out: here at once, and at the service as soon as it can be reached. */
  async signOut(where: Where): Promise<void> {
    try {
      const outcome = await (where === "here" ? this.client.logout() : this.client.logoutAll());
      this.#notify({ kind: "left", where, outcome });
    } catch (error) {
      this.#notify({ kind: "refused", error });
    }
  }

  /** Tells the service of a sign-out that it does not know yet. */
  deliver = async (): Promise<void> => {
    const state = this.#state;
    if (state.at !== "signed_out" || state.notice?.kind !== "left" || state.notice.outcome.delivered) return;
    const outcome = await this.client.flush().catch(() => ({ delivered: false }));
    if (outcome.delivered && this.#state === state) this.#notify({ ...state.notice, outcome });
  };

  state = (): State => this.#state;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** A notice is for the sign-in page only: the user may have signed in again by now. */
  #notify(notice: Notice): void {
    if (this.#state.at === "signed_out") this.#enter({ at: "signed_out", notice });
  }

  #enter(state: State): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
