"""Sessions opened, refreshed and ended on behalf of users whom another system has signed in.

For a site with sign-in pages of its own: each of its sessions is a device, which the user sees and ends beside the others.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from .errors import IssuerError, Refused, SessionEnded
from .link import Ask, ServiceKey
from .process_link import ProcessLink
from .wire import Unreadable, read_id

#: The longest `User-Agent` that is passed on, in characters.
_LONGEST_AGENT = 512

_INVISIBLE = re.compile(r"[^ -~]+")


@dataclass(frozen=True)
class Session:
    """A user signed in on a device: the tokens of the moment."""

    user: str
    device: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    #: Seconds until each token expires.
    expires_in: int
    refresh_expires_in: int


@dataclass(frozen=True)
class EndUser:
    """Where the user's requests come from, so that the list of devices does not show this server."""

    address: str | None = None
    user_agent: str | None = None

    def __post_init__(self) -> None:
        """Drops what the service would refuse: a header is whatever somebody sent."""
        # Without the interface of a link-local one, which means nothing elsewhere.
        address: str | None = (self.address or "").partition("%")[0]
        try:
            ipaddress.ip_address(address or "")
        except ValueError:
            address = None
        object.__setattr__(self, "address", address)
        if self.user_agent is not None:
            agent = _INVISIBLE.sub(" ", self.user_agent)[:_LONGEST_AGENT].strip()
            object.__setattr__(self, "user_agent", agent or None)

    @property
    def members(self) -> dict[str, str]:
        """The member `client` of a sign-in; empty without an address, which it has to have."""
        named = {"address": self.address, "user_agent": self.user_agent}
        return {name: value for name, value in named.items() if self.address and value is not None}

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request that is made for the user. The address counts if the service trusts this server."""
        named = {"X-Forwarded-For": self.address, "User-Agent": self.user_agent}
        return {name: value for name, value in named.items() if value is not None}


class Sessions:
    """Opens, refreshes and ends sessions. Every method blocks for a request, and raises `IssuerError` or `Refused`.

    A user is addressed by `id:…`, `name:…` or `external_id:…`.
    """

    def __init__(self, url: str, *, service_key: str | ServiceKey) -> None:
        """
        url: where the issuer answers, `https://HOST`. Tokens are in its answers: use https across a network.
        service_key: with the scopes `sessions` and `admin`.
        """
        self._link = ProcessLink(url, service_key)

    def __repr__(self) -> str:
        return f"Sessions({self._link.url!r})"

    def close(self) -> None:
        """Closes the connections. Another request opens new ones."""
        self._link.close()

    def open(self, user: str, end_user: EndUser | None = None, amr: Iterable[str] = ()) -> Session:
        """Signs a user in on a new device. `Refused` has the code `not_found` for a user whom the issuer does not know.

        amr: how the user proved who they are, names of RFC 8176.
        """
        body: dict[str, Any] = {}
        if end_user is not None and end_user.members:
            body["client"] = end_user.members
        if methods := list(amr):
            body["amr"] = methods
        return _read_session(
            self._ask(Ask("POST", f"admin/users/{_segment(user)}/sessions", "sessions", body))
        )

    def refresh(self, refresh: str, end_user: EndUser | None = None) -> Session:
        """The next tokens of a session; raises `SessionEnded` with the reason if it has ended."""
        headers = {} if end_user is None else end_user.headers
        ask = Ask("POST", "auth/refresh", "", {"refresh": refresh}, "", headers)
        try:
            return _read_session(self._ask(ask))
        except Refused as refused:
            if refused.status == 401:
                raise SessionEnded(refused.code, str(refused)) from None
            if refused.code == "invalid_request":
                # What cannot be a refresh token at all.
                raise SessionEnded("token_invalid", str(refused)) from None
            raise

    def logout(self, refresh: str) -> None:
        """Ends the device of a refresh token, also of one that was used or has expired."""
        try:
            self._ask(Ask("POST", "auth/logout", "", {"refresh": refresh}, ""))
        except Refused as refused:
            # It names no device of this service, so there is nothing to end.
            if refused.status != 401:
                raise

    def logout_others(self, access: str) -> str:
        """Ends every other device of the user; returns the next access token. The refresh token stays good.

        Raises `SessionEnded` for a token that no longer acts for its user.
        """
        try:
            answer = self._ask(Ask("POST", "auth/logout-others", "", None, f"Bearer {access}"))
        except Refused as refused:
            if refused.status == 401:
                raise SessionEnded(refused.code, str(refused)) from None
            raise
        return _text(answer, "access")

    def logout_all(self, user: str, reason: str | None = None) -> None:
        """Ends every device of a user; none are left of one whom the issuer does not know."""
        body = {} if reason is None else {"reason": reason}
        self._ask_of(Ask("POST", f"admin/users/{_segment(user)}/logout-all", "admin", body))

    def create_user(self, username: str, external_id: str, password_hash: str | None = None) -> None:
        """Makes a user, without a password if no hash of one is given. To repeat it changes nothing."""
        body = {"username": username, "external_id": external_id}
        if password_hash is not None:
            body["password_hash"] = password_hash
        self._ask(Ask("POST", "admin/users", "admin", body))

    def replace_password(self, user: str, password_hash: str) -> None:
        """Gives a user another password, by its hash in the form of Django."""
        self._ask(Ask("PATCH", f"admin/users/{_segment(user)}", "admin", {"password_hash": password_hash}))

    def set_disabled(self, user: str, disabled: bool, reason: str | None = None) -> None:
        """Disables a user, whose every device ends, or enables one again; one whom the issuer does not know is left alone."""
        body = {} if reason is None else {"reason": reason}
        done = "disable" if disabled else "enable"
        self._ask_of(Ask("POST", f"admin/users/{_segment(user)}/{done}", "admin", body))

    def rename(self, user: str, username: str) -> None:
        """Gives a user another name; one whom the issuer does not know is left alone."""
        self._ask_of(Ask("PATCH", f"admin/users/{_segment(user)}", "admin", {"username": username}))

    def delete_user(self, user: str, reason: str | None = None) -> None:
        """Deletes a user, whose every device ends; one whom the issuer does not know is gone already."""
        body = {} if reason is None else {"reason": reason}
        self._ask_of(Ask("DELETE", f"admin/users/{_segment(user)}", "admin", body))

    def user(self, user: str) -> dict[str, Any] | None:
        """What the issuer knows of a user, as administrators see it; `None` if it knows nobody."""
        try:
            return self._ask(Ask("GET", f"admin/users/{_segment(user)}", "admin"))
        except Refused as refused:
            if refused.code == "not_found":
                return None
            raise

    def _ask_of(self, ask: Ask) -> None:
        """Sends a request about a user. That the issuer knows nobody is no error."""
        try:
            self._ask(ask)
        except Refused as refused:
            if refused.code != "not_found":
                raise

    def _ask(self, ask: Ask) -> dict[str, Any]:
        return self._link.submit(lambda link: link.call(ask)).result()


def _segment(user: str) -> str:
    return quote(user, safe="")


def _read_session(answer: dict[str, Any]) -> Session:
    try:
        return Session(
            user=read_id(answer["user"]["id"]),
            device=read_id(answer["device"]["id"]),
            access=_text(answer, "access"),
            refresh=_text(answer, "refresh"),
            expires_in=_number(answer, "expires_in"),
            refresh_expires_in=_number(answer, "refresh_expires_in"),
        )
    except (KeyError, TypeError, Unreadable):
        raise IssuerError("it answered something that is not a session", may_pass=False) from None


def _text(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise IssuerError("it answered something that is not a session", may_pass=False)
    return value


def _number(answer: dict[str, Any], name: str) -> int:
    value = answer[name]
    if type(value) is not int:
        raise Unreadable
    return value
