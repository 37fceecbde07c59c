"""The devices of this site's own sessions: opened at a sign-in, checked, refreshed, and ended."""

from __future__ import annotations

import concurrent.futures
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth import get_user_model

from ..claims import Claims
from ..errors import IssuerError, Reason, Refused, Rejected, SessionEnded, TokenEnded, TokenInvalid
from ..sessions import EndUser, Session, Sessions
from .held import Held
from .settings import RescindSettings
from .users import external_id_of, external_ids

log = logging.getLogger("rescind")

#: How long nothing is asked after the service could not be reached, in seconds: else each request would wait for it.
_PAUSE = 2.0

#: How long the outcome of a refresh is kept for requests that were sent with the tokens of before, in seconds.
_REFRESH_KEPT = 30.0

_T = TypeVar("_T")


class Unreachable(Exception):
    """The service did not answer, or refused this site. The log says why, and what to do."""


class SignInRefused(Exception):
    """The service takes no sign-in of this user; `code` is its reason."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def end_user_of(request: Any) -> EndUser:
    """Where a request of Django comes from."""
    return EndUser(request.META.get("REMOTE_ADDR"), request.META.get("HTTP_USER_AGENT"))


def open_device(
    settings: RescindSettings, user: Any, end_user: EndUser, amr: list[str], *, is_apps: bool = False
) -> Held:
    """Signs a Django user in on a new device, and makes the user in Rescind if there is none.

    Raises `Unreachable` or `SignInRefused`.
    """
    external_id = external_id_of(settings, user)
    address = f"external_id:{external_id}"

    def ask(sessions: Sessions) -> Session:
        try:
            return sessions.open(address, end_user, amr)
        except Refused as refused:
            if refused.code == "forbidden" and (sessions.user(address) or {}).get("disabled") is True:
                raise SignInRefused("user_disabled") from None
            if refused.code != "not_found":
                raise
        shared = user.password if settings.shares_passwords and user.has_usable_password() else None
        sessions.create_user(user.get_username(), external_id, shared)
        return sessions.open(address, end_user, amr)

    session = reach(settings, ask)
    external_ids.remember(session.user, external_id)
    held = Held.opened(user, session, is_apps=is_apps)
    # A password that was changed while it was being checked signs nobody in: the change may have ended the devices of
    # before this one.
    stored = get_user_model()._base_manager.filter(pk=user.pk).values_list("password", flat=True).first()
    if stored is not None and stored != user.password:
        end_device(settings, held)
        raise SignInRefused("password_changed")
    return held


def needs_refresh(rejected: Rejected) -> bool:
    """Whether a refresh tells if the device has ended: its access token has expired, or the keys may have been replaced."""
    if isinstance(rejected, TokenEnded):
        return rejected.reason in (Reason.EXPIRED, Reason.SUPERSEDED)
    return isinstance(rejected, TokenInvalid)


def refresh_device(settings: RescindSettings, held: Held, end_user: EndUser) -> Held:
    """The device with its next tokens. Raises `SessionEnded` with the reason if it has ended, or `Unreachable`."""
    renewed = reach(settings, lambda sessions: _refreshes.refresh(sessions, held.refresh, end_user))
    return held.renewed(renewed.access, renewed.refresh)


def verify_new(settings: RescindSettings, held: Held) -> Claims:
    """The claims of a token that the service has just issued. Raises `Rejected` if it has ended already, or `Unreachable`."""
    try:
        return settings.verify(held.access)
    except (TokenEnded, TokenInvalid) as rejected:
        if not needs_refresh(rejected):
            raise
        log.error(
            "a token that the service at %s has just issued is refused here (%s): are RESCIND['AUDIENCE'] and"
            " RESCIND['ISSUER'] those of the service, and the clocks right?",
            settings.values["URL"],
            rejected,
        )
        raise Unreachable from None


def end_device(settings: RescindSettings, held: Held) -> None:
    """Ends the device of a session. If the service cannot be reached, the device runs out by itself: nobody holds its tokens."""
    if not held.refresh:
        return
    try:
        reach(settings, lambda sessions: sessions.logout(held.refresh))
    except Unreachable:
        log.warning("a device of user %s could not be ended, and runs out by itself", held.user)


def end_other_devices(settings: RescindSettings, user: Any, held: Held | None) -> Held | None:
    """Ends the devices of a user, all but the one of `held`, which it returns with what it holds from now on.

    Raises `Unreachable`.
    """
    address = address_of(settings, user)

    def ask(sessions: Sessions) -> Held | None:
        if held is not None:
            try:
                return held.renewed(sessions.logout_others(held.access), held.refresh)
            except SessionEnded:
                # It has ended as well, and does not come back to life.
                pass
        sessions.logout_all(address)
        return None

    return reach(settings, ask)


def replace_password(settings: RescindSettings, user: Any) -> bool:
    """Puts a new password in the place of the old one in Rescind, where the old one would go on to sign in.

    Returns whether there was one, and so every device has ended. Raises `Unreachable`.
    """
    if not user.has_usable_password():
        return False
    address = address_of(settings, user)

    def ask(sessions: Sessions) -> bool:
        known = sessions.user(address)
        if known is None or not (settings.shares_passwords or known.get("has_password") is True):
            return False
        sessions.replace_password(address, user.password)
        return True

    return reach(settings, ask)


def address_of(settings: RescindSettings, user: Any) -> str:
    """How the service is told of a user, whom it knows by the external id."""
    return f"external_id:{external_id_of(settings, user)}"


_silent_until = 0.0


def reach(settings: RescindSettings, ask: Callable[[Sessions], _T]) -> _T:
    """Asks the service; raises `Unreachable` if it does not answer, and logs why."""
    global _silent_until
    if time.monotonic() < _silent_until:
        raise Unreachable
    try:
        return ask(settings.sessions)
    except IssuerError as error:
        if error.may_pass:
            _silent_until = time.monotonic() + _PAUSE
        log.log(
            logging.WARNING if error.may_pass else logging.ERROR,
            "the service at %s cannot be used for sessions: %s",
            settings.values["URL"],
            error,
        )
        raise Unreachable from None
    except Refused as refused:
        log.error("the service at %s refused: %s%s", settings.values["URL"], refused, _what_to_do(refused))
        raise Unreachable from None


def _what_to_do(refused: Refused) -> str:
    unknown = [str(fault.get("field")) for fault in refused.fields if fault.get("code") == "unknown"]
    if refused.code == "method_not_allowed" or unknown:
        what = f" (it does not know {', '.join(unknown)})" if unknown else ""
        return f": this service is older than this package{what}; update it"
    if refused.code == "not_found":
        return ": is RESCIND['URL'] the address of a Rescind service, without a path of its own?"
    match refused.code:
        case "username_taken":
            return (
                ": another user of the service has the name, whom this site must not take over; give that user this"
                " site's external id (`rescind user import django`), or rename one of both"
            )
        case "external_id_taken":
            return ": the user was renamed here; rename the user in the service as well (RESCIND['FOLLOW_USERS'] does)"
        case "forbidden":
            scopes = "--scope feed --scope sessions --scope admin"
            return f": make a service key with `rescind service-key add NAME {scopes}`"
    return ""


class _Refreshes:
    """Refreshes one session once in this process, however many requests want it at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: dict[str, tuple[concurrent.futures.Future[Session], float]] = {}

    def refresh(self, sessions: Sessions, refresh: str, end_user: EndUser) -> Session:
        now = time.monotonic()
        with self._lock:
            known = self._outcomes.get(refresh)
            if known is None:
                self._outcomes = {
                    token: outcome for token, outcome in self._outcomes.items() if outcome[1] > now
                }
                mine: concurrent.futures.Future[Session] = concurrent.futures.Future()
                self._outcomes[refresh] = (mine, now + _REFRESH_KEPT)
        if known is not None:
            return known[0].result()
        try:
            mine.set_result(sessions.refresh(refresh, end_user))
        except BaseException as error:
            mine.set_exception(error)
            with self._lock:
                self._outcomes.pop(refresh, None)
        return mine.result()


_refreshes = _Refreshes()


def _after_fork_in_child() -> None:
    # What a thread of the parent was doing, nobody does here.
    global _refreshes
    _refreshes = _Refreshes()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
