// The one error of this package.

import type { Code, FieldProblem } from "./openapi.ts";

/**
 * Why something was not done. The service's codes (`Code`) are in `openapi/openapi.json`; these come from here:
 *
 * * `network`: no answer came; the request may have had its effect;
 * * `unexpected_answer`: the answer is not one of the service, as from a captive portal or a proxy;
 * * `not_signed_in`: there is no session here;
 * * `storage`: the storage failed, `cause` says how.
 */
export type ErrorCode = Code | "network" | "unexpected_answer" | "not_signed_in" | "storage";

export interface ErrorFields {
  status?: number;
  title?: string;
  detail?: string | undefined;
  requestId?: string | undefined;
  retryAfter?: number | undefined;
  errors?: FieldProblem[] | undefined;
  cause?: unknown;
}

/** What a client rejects with, but for the reason of an aborted signal. It holds no token. */
export class RescindError extends Error {
  override readonly name = "RescindError";
  /** What to decide by; expect new ones. */
  readonly code: ErrorCode | (string & {});
  /** The HTTP status, or 0 without an answer. */
  readonly status: number;
  /** An English sentence for developers. */
  readonly detail: string | undefined;
  /** Names the request in the service's log. */
  readonly requestId: string | undefined;
  /** Seconds to wait before another attempt. */
  readonly retryAfter: number | undefined;
  /** The fields to correct. */
  readonly errors: FieldProblem[] | undefined;
  /** The message of the error behind this one. */
  override readonly cause: string | undefined;

  constructor(code: string, { status = 0, title, detail, requestId, retryAfter, errors, cause }: ErrorFields = {}) {
    super(redacted(title ? `${title} (${code})` : code));
    this.code = redacted(code);
    this.status = status;
    this.detail = detail && redacted(detail);
    this.requestId = requestId;
    this.retryAfter = retryAfter;
    this.errors = errors;
    this.cause = cause === undefined ? undefined : redacted(String(cause));
  }
}

/** `text` without the tokens that whoever answered may have repeated. */
function redacted(text: string): string {
  return text.replace(/v4\.(local|public)\.[\w.-]+/g, "v4.$1.…");
}
