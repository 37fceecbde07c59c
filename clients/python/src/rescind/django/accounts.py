"""What becomes of a user in Rescind whom Django deactivates, activates, renames or deletes, with `FOLLOW_USERS`.

Before a user is deactivated or deleted, the devices are ended: if the service cannot be reached, nothing happens here either.
The rest follows when the transaction is committed, so that one that is rolled back has signed the user out and nothing more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

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


def connect() -> None:
    """Connects the handlers."""
    pre_save.connect(_is_to_change, dispatch_uid="rescind.user_is_to_change")
    post_save.connect(_has_changed, dispatch_uid="rescind.user_has_changed")
    pre_delete.connect(_is_to_go, dispatch_uid="rescind.user_is_to_go")
    post_delete.connect(_has_gone, dispatch_uid="rescind.user_has_gone")


def _is_to_change(sender: Any, instance: Any, raw: bool, update_fields: Any = None, **_: Any) -> None:
    if raw or instance._state.adding or not _is_followed(instance):
        return
    instance.rescind_changes = changes = _changes(instance, update_fields)
    if changes.get("is_active") is False:
        _end_devices(instance)


def _has_changed(sender: Any, instance: Any, using: str, **_: Any) -> None:
    changes = instance.__dict__.pop("rescind_changes", {})
    address = address_of(rescind_settings(), instance) if changes else ""
    if "is_active" in changes:
        disabled = not changes["is_active"]
        change = partial(Sessions.set_disabled, user=address, disabled=disabled, reason=_REASON)
        _follow(using, change, f"{instance.pk} is {'inactive' if disabled else 'active'} here")
    name = get_user_model().USERNAME_FIELD
    if name in changes:
        change = partial(Sessions.rename, user=address, username=instance.get_username())
        _follow(using, change, f"{instance.pk} has another name here")


def _is_to_go(sender: Any, instance: Any, **_: Any) -> None:
    if _is_followed(instance):
        _end_devices(instance)


def _has_gone(sender: Any, instance: Any, using: str, **_: Any) -> None:
    if _is_followed(instance):
        address = address_of(rescind_settings(), instance)
        change = partial(Sessions.delete_user, user=address, reason=_REASON)
        _follow(using, change, f"{instance.pk} is deleted here")


def _is_followed(instance: Any) -> bool:
    follows = getattr(django_settings, "RESCIND", {}).get("FOLLOW_USERS") is True
    return follows and isinstance(instance, get_user_model())


def _changes(user: Any, update_fields: Any) -> dict[str, Any]:
    """The fields that a save changes and Rescind follows, with their new values."""
    model = get_user_model()
    names = [name for name in ("is_active", model.USERNAME_FIELD) if _is_stored(model, name)]
    if update_fields is not None:
        names = [name for name in names if name in update_fields]
    stored = model._base_manager.filter(pk=user.pk).values(*names).first() if names else None
    return {
        name: getattr(user, name) for name, value in (stored or {}).items() if getattr(user, name) != value
    }


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


def _follow(using: str, change: Callable[[Sessions], None], what: str) -> None:
    """Changes a user in Rescind once the transaction is committed."""

    def now() -> None:
        try:
            reach(rescind_settings(), change)
        except Unreachable:
            log.error("user %s, and Rescind could not be told: save it again, or change it there", what)

    transaction.on_commit(now, using=using)
