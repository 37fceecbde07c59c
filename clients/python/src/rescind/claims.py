"""The claims of a verified access token."""

from __future__ import annotations

from dataclasses import dataclass

from .wire import read_object

#: The longest lifetime of an access token, in seconds. Entries of the feed are kept longer than this.
LONGEST_ACCESS = 60 * 60

#: The most seconds that a token's `iat` may be ahead of the clock here.
LEEWAY = 60


@dataclass(frozen=True)
class Identity:
    """The user and the device that a request acts for."""

    #: `sub`: the user's id, a lower-case hyphenated UUID.
    user: str
    #: `sid`: the id of the device, one sign-in of the user.
    device: str
    #: `gen`: the user's generation.
    generation: int


@dataclass(frozen=True)
class Claims(Identity):
    """The claims of an access token. Times are Unix seconds."""

    #: `era`: the service's era.
    era: int
    #: `iss`: the issuer.
    issuer: str
    #: `aud`: the audience.
    audience: str
    #: `iat`: when the token was issued.
    issued: int
    #: `exp`: when the token expires.
    expires: int
    #: `auth_time`: when a password was last given on the device.
    authenticated: int

    @property
    def is_short_lived(self) -> bool:
        """Whether the lifetime is at most that for which ended sessions are remembered."""
        return self.expires <= self.issued + LONGEST_ACCESS

    def is_from_the_future(self, now: int) -> bool:
        """Whether the token was issued after `now`: then a clock is wrong."""
        return self.issued > now + LEEWAY


def read_access(payload: str) -> Claims:
    """Reads the payload of an access token; raises `Unreadable` for any other."""
    members = read_object(payload)
    return Claims(
        user=members.id("sub"),
        device=members.id("sid"),
        generation=members.counter("gen"),
        era=members.counter("era"),
        issuer=members.text("iss"),
        audience=members.text("aud"),
        issued=members.time("iat"),
        expires=members.time("exp"),
        authenticated=members.time("auth_time"),
    )
