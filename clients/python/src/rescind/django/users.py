"""The Django user whom a token acts for."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from ..claims import Identity
from ..errors import Doubt, IssuerError, NotFresh, Refused
from .settings import RescindSettings

#: How long what a token does not carry is remembered of a user, in seconds, and of how many users.
_REMEMBERED_FOR = 60.0
_MOST_USERS = 10_000

log = logging.getLogger("rescind")


class RememberedUsers:
    """What a token does not carry, by the user's id in Rescind: asked for, and remembered for a minute."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[str | None, float]] = {}
        self._lock = threading.Lock()

    def find(self, user: str) -> tuple[str | None] | None:
        """The remembered value in a tuple of its own, since it may be that there is none."""
        found = self._values.get(user)
        return (found[0],) if found is not None and found[1] > time.monotonic() else None

    def remember(self, user: str, value: str | None, for_seconds: float = _REMEMBERED_FOR) -> None:
        """Remembers a value; of too many users, it begins anew."""
        with self._lock:
            if len(self._values) >= _MOST_USERS:
                self._values.clear()
            self._values[user] = (value, time.monotonic() + for_seconds)


_usernames = RememberedUsers()
external_ids = RememberedUsers()


def _username(identity: Identity, token: str, settings: RescindSettings) -> str | None:
    """The name of the token's user. Raises `Rejected` if the issuer does not accept the token, or not answer."""
    if found := _usernames.find(identity.user):
        return found[0]
    introspected = settings.introspector.introspect(token)
    _usernames.remember(introspected.claims.user, introspected.username)
    return introspected.username


def _external_id(identity: Identity, settings: RescindSettings) -> str | None:
    """The external id of the user, `None` if there is none. Raises `NotFresh` if the issuer does not say."""
    if found := external_ids.find(identity.user):
        return found[0]
    try:
        known = settings.sessions.user(f"id:{identity.user}")
    except (IssuerError, Refused) as error:
        log.error("the external id of a user could not be read: %s", error)
        raise NotFresh(Doubt.UNANSWERED) from None
    value = None if known is None else known.get("external_id")
    external_ids.remember(identity.user, value if isinstance(value, str) else None)
    return value if isinstance(value, str) else None


def user_of_token(settings: RescindSettings, identity: Identity, token: str) -> Any | None:
    """The Django user of a token that acts for its user; `None` if this site has none."""
    match settings.user_field:
        case "USERNAME_FIELD":
            return find_user(settings, _username(identity, token, settings))
        case "EXTERNAL_ID_FIELD":
            value = _external_id(identity, settings)
            user = find_user(settings, value)
            # A field may read other texts as its value too, as a number does `042`.
            return user if user is not None and external_id_of(settings, user) == value else None
        case _:
            return find_user(settings, identity.user)


def external_id_of(settings: RescindSettings, user: Any) -> str:
    """The external id in Rescind of a Django user."""
    return str(getattr(user, settings.values["EXTERNAL_ID_FIELD"]))


def find_user(settings: RescindSettings, value: str | None) -> Any | None:
    """The Django user with this value in the field of the settings, created if they say so; else `None`."""
    if value is None:
        return None
    field = settings.values[settings.user_field]
    model = get_user_model()
    manager = model._default_manager
    try:
        return manager.get(**{field: value})
    except model.DoesNotExist:
        if not settings.creates_users:
            return None
    except (ValueError, OverflowError, ValidationError):
        # The field takes no such value, so nobody has it.
        return None
    # Without a name of its own the user goes by the id, which nobody else has.
    user = model(**{model.USERNAME_FIELD: value, field: value})
    user.set_unusable_password()
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        # Another request has created the user meanwhile; or the name is somebody else's.
        return manager.filter(**{field: value}).first()
    return user
