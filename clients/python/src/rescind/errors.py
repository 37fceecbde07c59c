"""The reasons why a token is not accepted, and why the issuer cannot be followed."""

from __future__ import annotations

import enum
from typing import Any


class RescindError(Exception):
    """The base of every exception of this package."""


class ConfigurationError(RescindError, ValueError):
    """A setting is missing or wrong; the message says which, and what to write."""


class Reason(enum.Enum):
    """The reason why a token no longer acts for its user. The value is the service's error code."""

    RESET = "reset"
    USER_DISABLED = "user_disabled"
    SIGNED_OUT_EVERYWHERE = "signed_out_everywhere"
    SUPERSEDED = "superseded"
    PASSWORD_CHANGED = "password_changed"
    SIGNED_OUT = "signed_out"
    EXPIRED = "token_expired"


class Doubt(enum.Enum):
    """The reason why freshness is not proven."""

    UNPROVEN = "freshness is not proven yet"
    LATE = "freshness is no longer proven"
    CLOCK = "the clock here and the issuer's are more than a minute apart"
    FULL = "there are more revocations than max_entries"
    KEYS = "newer keys or names have not been fetched yet"
    UNANSWERED = "the issuer did not answer"


class Rejected(RescindError):
    """A token is not accepted: answer with `status` and `code`.

    `code` is the service's error code; `stale` is the verifier's own. The message holds nothing of the token.
    """

    code: str
    status: int


class TokenInvalid(Rejected):
    """The text is not an access token of this issuer for this audience: 401."""

    code = "token_invalid"
    status = 401

    def __init__(self) -> None:
        super().__init__("not a token of this issuer for this audience")


_ENDED = {
    Reason.EXPIRED: "the token has expired",
    Reason.SUPERSEDED: "the token was replaced: refresh",
    Reason.PASSWORD_CHANGED: "the password was changed after the token was issued",
    Reason.SIGNED_OUT: "the device was signed out",
    Reason.SIGNED_OUT_EVERYWHERE: "the user signed out everywhere",
    Reason.RESET: "every session of the service was ended",
    Reason.USER_DISABLED: "the account is disabled",
}


class TokenEnded(Rejected):
    """The token no longer acts for its user: 401 with a code that tells the app what to do."""

    status = 401

    def __init__(self, reason: Reason) -> None:
        super().__init__(_ENDED[reason])
        self.reason = reason
        self.code = reason.value


class SessionEnded(Rejected):
    """A refresh token gets no new tokens, so its session has ended: 401 with the service's code."""

    status = 401

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class NotFresh(Rejected):
    """Freshness is not proven, so the token may be valid or not: 503 with `Retry-After`."""

    code = "stale"
    status = 503
    #: The seconds to wait before another try.
    retry_after = 2

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(doubt.value)
        self.doubt = doubt


class IssuerError(RescindError):
    """A request to the issuer failed. `may_pass` says whether the error may be temporary."""

    def __init__(self, message: str, *, may_pass: bool, gone: bool = False) -> None:
        super().__init__(message)
        self.may_pass = may_pass
        #: Whether the log no longer reaches back to the position (status 410).
        self.gone = gone


class Refused(RescindError):
    """The issuer answered a request of its API with an error; `code` is its error code, the message says what to do."""

    def __init__(self, status: int, code: str, detail: str, fields: Any = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        #: The fields that are wrong, `field` and `code` of each.
        self.fields: list[dict[str, Any]] = fields if isinstance(fields, list) else []


class ConnectError(RescindError):
    """The issuer cannot be followed, or freshness was not proven in time. `may_pass` says whether to try again."""

    def __init__(self, message: str, *, may_pass: bool) -> None:
        super().__init__(message)
        self.may_pass = may_pass
