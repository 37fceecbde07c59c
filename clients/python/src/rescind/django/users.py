"""The Django user whom a token acts for."""

from __future__ import annotations

import threading
import time
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from ..claims import Identity
from .settings import RescindSettings

#: How long the name of a user is remembered, in seconds, and of how many users.
_REMEMBERED_FOR = 60.0
_MOST_NAMES = 10_000


class Usernames:
    """The names of users in Rescind, which a token does not carry: asked for, and remembered for a minute."""

    def __init__(self) -> None:
        self._names: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def of(self, identity: Identity, token: str, settings: RescindSettings) -> str:
        """The name of the token's user. Raises `Rejected` if the issuer does not accept the token, or not answer."""
        now = time.monotonic()
        found = self._names.get(identity.user)
        if found is not None and found[1] > now:
            return found[0]
        introspected = settings.introspector.introspect(token)
        self.remember(introspected.claims.user, introspected.username)
        return introspected.username

    def remember(self, user: str, name: str) -> None:
        with self._lock:
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            self._names[user] = (name, time.monotonic() + _REMEMBERED_FOR)


def find_user(settings: RescindSettings, identity: Identity, username: str | None) -> Any | None:
    """The Django user, created if there is none and the settings say so; else `None`."""
    model = get_user_model()
    if username is None:
        field, value = settings.values["USER_ID_FIELD"], identity.user
    else:
        field, value = settings.values["USERNAME_FIELD"], username
    manager = model._default_manager
    try:
        return manager.get(**{field: value})
    except model.DoesNotExist:
        if not settings.creates_users:
            return None
    except (ValueError, ValidationError):
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
