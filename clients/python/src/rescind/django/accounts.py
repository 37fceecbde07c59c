"""What becomes of a user in Rescind whom Django deactivates, activates, renames or deletes, with `FOLLOW_USERS`.

Before a user is deactivated or deleted, the devices are ended: if the service cannot be reached, nothing happens here either.
The rest follows when the transaction is committed, so that one that is rolled back has signed the user out and nothing more.
What Rescind could not be told is told with a later save of the user by the same process; the log says how to do it at once.
"""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save

from ..sessions import Sessions
from .devices import Unreachable, address_of, end_other_devices, reach
from .settings import rescind_settings

log = logging.getLogger("rescind")

#: The reason that is kept in Rescind.
_REASON = "in Django"

#: What Rescind could not be told: the database, the user's primary key and the field.
_untold: set[tuple[str, Any, str]] = set()


def connect() -> None:
    """Connects the handlers."""
    pre_save.connect(_is_to_change, dispatch_uid="rescind.user_is_to_change")
    post_save.connect(_has_changed, dispatch_uid="rescind.user_has_changed")
    pre_delete.connect(_is_to_go, dispatch_uid="rescind.user_is_to_go")
    post_delete.connect(_has_gone, dispatch_uid="rescind.user_has_gone")


def _is_to_change(
    sender: Any, instance: Any, raw: bool, using: str, update_fields: Any = None, **_: Any
) -> None:
    if raw or instance._state.adding or not _is_followed(instance):
        return
    names = _followed_fields(update_fields)
    stored = _stored(instance.pk, names, using)
    changed = [name for name, value in stored.items() if getattr(instance, name) != value]
    instance.rescind_changes = [
        name for name in names if name in changed or (using, instance.pk, name) in _untold
    ]
    if "is_active" in changed and not instance.is_active:
        _end_devices(instance)


def _has_changed(sender: Any, instance: Any, using: str, **_: Any) -> None:
    for name in instance.__dict__.pop("rescind_changes", []):
        _follow(instance.pk, address_of(rescind_settings(), instance), name, using)


def _is_to_go(sender: Any, instance: Any, **_: Any) -> None:
    if _is_followed(instance):
        _end_devices(instance)


def _has_gone(sender: Any, instance: Any, using: str, **_: Any) -> None:
    if not _is_followed(instance):
        return
    user, address = instance.pk, address_of(rescind_settings(), instance)

    def delete() -> None:
        if not _tell(lambda sessions: sessions.delete_user(address, _REASON)):
            command = f"rescind user delete {shlex.quote(address)}"
            log.error("user %s is deleted here, and Rescind could not be told: run `%s`", user, command)

    transaction.on_commit(delete, using=using)


def _is_followed(instance: Any) -> bool:
    follows = getattr(django_settings, "RESCIND", {}).get("FOLLOW_USERS") is True
    return follows and isinstance(instance, get_user_model())


def _followed_fields(update_fields: Any) -> list[str]:
    """The fields that a save writes and Rescind follows."""
    model = get_user_model()
    names = [name for name in ("is_active", model.USERNAME_FIELD) if _is_stored(model, name)]
    return [name for name in names if update_fields is None or name in update_fields]


def _stored(user: Any, names: list[str], using: str) -> dict[str, Any]:
    """What a database has in these fields of a user, by primary key: nothing, if it has no such user."""
    if not names:
        return {}
    return get_user_model()._base_manager.using(using).filter(pk=user).values(*names).first() or {}


def _is_stored(model: Any, name: str) -> bool:
    try:
        return bool(model._meta.get_field(name).concrete)
    except FieldDoesNotExist:
        return False


def _end_devices(user: Any) -> None:
    settings = rescind_settings()
    try:
        end_other_devices(settings, user, None)
    except Unreachable:
        if not settings.goes_on_unchecked:
            raise
        log.error("user %s is deactivated or deleted, and the devices could not be ended", user.pk)


def _follow(user: Any, address: str, name: str, using: str) -> None:
    """Tells Rescind what a field of a user holds, once the transaction is committed.

    What is told is read afterwards, and read again when it has been told: of two processes that change a user at the same
    moment, the last to tell tells what is stored. A user who is not stored any more has been deleted, which tells itself.
    """

    def now() -> None:
        _untold.discard((using, user, name))
        told: list[Any] = []
        while (value := _stored(user, [name], using)) and told[-1:] != [value[name]]:
            told.append(value[name])
            change, what, remedy = _change(address, name, value[name])
            if not _tell(change):
                _untold.add((using, user, name))
                log.error("user %s %s, and Rescind could not be told: %s", user, what, remedy)
                return

    transaction.on_commit(now, using=using)


def _change(address: str, name: str, value: Any) -> tuple[Callable[[Sessions], None], str, str]:
    """The change in Rescind that a field asks for, what has happened here, and how somebody does the change by hand."""
    if name == "is_active":
        what, command = ("is active here", "enable") if value else ("is inactive here", "disable")
        remedy = f"run `rescind user {command} {shlex.quote(address)}`"
        return (lambda sessions: sessions.set_disabled(address, not value, _REASON)), what, remedy
    body = json.dumps({"username": str(value)})
    remedy = f"send `PATCH /api/v1/admin/users/{quote(address, safe='')}` with `{body}` and a key of the scope admin"
    return (lambda sessions: sessions.rename(address, str(value))), "has another name here", remedy


def _tell(change: Callable[[Sessions], None]) -> bool:
    """Changes a user in Rescind; returns whether it was reached and did it."""
    try:
        reach(rescind_settings(), change)
    except Unreachable:
        return False
    return True
