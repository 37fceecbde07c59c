// A session as it is stored, and the refusals that end one.

import { RescindError } from "./error.ts";
import type { Code, Session, User } from "./openapi.ts";
import type { SignOut } from "./outbox.ts";

/** Who is signed in here, and on which device. */
export interface SignedIn {
  user: User;
  device: { id: string };
}

/** A session as it is stored. */
export interface Stored {
  access: string;
  refresh: string;
  expires_in: number;
  device: string;
  user: User;
  /** A change of the password is on its way: newer tokens may be about to be stored. */
  changing?: true | undefined;
}

export const sessionKey = "rescind.session";

/** Refusals of a refresh token after which only a new sign-in helps. */
export const final = [
  "token_expired", "password_changed", "signed_out", "signed_out_everywhere", "reset", "refresh_reused", "user_disabled",
  "token_invalid",
] as const satisfies readonly Code[];
/** Refusals of an access token that say that its device has ended. */
const ended = ["signed_out", "signed_out_everywhere", "reset", "user_disabled"] as const satisfies readonly SignedOutReason[];

/** Why a session ended that the app did not end: one of the service's codes. */
export type SignedOutReason = (typeof final)[number];

const oneOf = <T extends string>(codes: readonly T[]) => (code: string): code is T => codes.includes(code as T);
export const isFinal = oneOf<SignedOutReason>(final);
export const isEnded = oneOf<SignedOutReason>(ended);

/** The answer, if it has what a session needs. */
export function whole(answer: Session): Session {
  const { access, refresh, expires_in, user, device } = answer;
  if (typeof access === "string" && typeof refresh === "string" && expires_in > 0 && user?.id && device?.id) return answer;
  throw new RescindError("unexpected_answer", { title: "Not an answer of the service" });
}

/** An answer as it is stored. */
export const stored = ({ access, refresh, expires_in, device, user }: Session): Stored => ({
  access, refresh, expires_in, device: device.id, user,
});

export const signOut = ({ device, refresh }: Stored): SignOut => ({ device, refresh });

/** The session in a text of the storage; null if there is none. */
export function parse(text: string | null | undefined): Stored | null {
  try {
    const found = JSON.parse(text ?? "null");
    return found && typeof found.access === "string" && typeof found.refresh === "string" ? found : null;
  } catch {
    return null;
  }
}
