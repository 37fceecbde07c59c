"""What a Django session holds of its device in Rescind."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ..sessions import Session

#: The name in the Django session.
NAME = "rescind"


@dataclass(frozen=True)
class Held:
    """The device of a Django session, with its tokens.

    They stay on the server, or with the session backend `signed_cookies` in the cookie that only the browser gets.
    """

    #: The primary key of the Django user, as Django's session has it.
    user: str
    #: The id of the device; empty while none could be opened.
    device: str = ""
    access: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)
    #: Whether an app was given the tokens: then it refreshes, and these here only name the device.
    is_apps: bool = False
    #: Seconds from the sign-in until its access token expires.
    expires_in: int = 0

    @classmethod
    def of(cls, session: Any) -> Held | None:
        """The device of a session; `None` without one."""
        found = session.get(NAME)
        if not isinstance(found, dict):
            return None
        try:
            # A newer version of this package may have written more. The session is still that of its device.
            known = {one.name for one in fields(cls)}
            return cls(**{name: value for name, value in found.items() if name in known})
        except TypeError:
            return None

    @classmethod
    def opened(cls, user: Any, session: Session, *, is_apps: bool) -> Held:
        """The device that was just opened for a Django user."""
        return cls(
            primary_key(user), session.device, session.access, session.refresh, is_apps, session.expires_in
        )

    def renewed(self, access: str, refresh: str) -> Held:
        """The same device with newer tokens."""
        return replace(self, access=access, refresh=refresh)

    def put_into(self, session: Any) -> None:
        """Writes the device into a session."""
        session[NAME] = asdict(self)


def primary_key(user: Any) -> str:
    """The primary key of a user, as Django's session has it."""
    return str(user._meta.pk.value_to_string(user))
