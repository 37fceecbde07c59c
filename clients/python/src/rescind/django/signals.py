"""What happens to devices when Django signs somebody in or out, or changes a password."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import transaction
from django.db.models.signals import post_save, pre_save

from .devices import (
    SignInRefused,
    Unreachable,
    end_device,
    end_other_devices,
    end_user_of,
    open_device,
    replace_password,
)
from .held import Held, primary_key
from .methods import authentication_methods
from .sessions import are_devices, current_request
from .settings import rescind_settings

log = logging.getLogger("rescind")


def connect() -> None:
    """Connects the handlers."""
    user_logged_in.connect(_signed_in, dispatch_uid="rescind.signed_in")
    user_logged_out.connect(_signed_out, dispatch_uid="rescind.signed_out")
    pre_save.connect(_password_is_to_change, dispatch_uid="rescind.password_is_to_change")
    post_save.connect(_password_has_changed, dispatch_uid="rescind.password_has_changed")


def _signed_in(sender: Any, request: Any, user: Any, **_: Any) -> None:
    """Opens a device for a sign-in. If the service does not take it, nobody is signed in."""
    session = getattr(request, "session", None)
    if session is None or not are_devices():
        return
    is_apps = _is_of_an_app(request)
    if is_apps and not _hands_out_tokens():
        return
    settings, before = rescind_settings(), Held.of(session)
    try:
        held = open_device(
            settings, user, end_user_of(request), authentication_methods(request, user), is_apps=is_apps
        )
    except Unreachable:
        # An app is given tokens, which only the service has.
        if is_apps or not settings.goes_on_unchecked:
            session.flush()
            raise
        held = Held(primary_key(user))
    except SignInRefused:
        session.flush()
        raise
    held.put_into(session)
    if before is not None and before.device:
        end_device(settings, before)


def _signed_out(sender: Any, request: Any, **_: Any) -> None:
    """Ends the device of a sign-out."""
    session = getattr(request, "session", None)
    if session is None or not are_devices():
        return
    held = Held.of(session)
    if held is not None and held.device:
        end_device(rescind_settings(), held)
        request.rescind_held = None


def _password_is_to_change(
    sender: Any, instance: Any, raw: bool, update_fields: Any = None, **_: Any
) -> None:
    """Ends the user's other devices before a new password is stored: if that fails, the password stays.

    Whatever was signed in with the old one meanwhile ends by `_password_has_changed`.
    """
    if raw or not _is_user(instance) or instance._state.adding or not _follows_passwords():
        return
    instance.rescind_password_changes = False
    if update_fields is not None and "password" not in update_fields:
        return
    if not _changes_password(instance):
        return
    instance.rescind_password_changes = True
    try:
        _end_others(instance)
    except Unreachable:
        if not rescind_settings().goes_on_unchecked:
            raise
        log.error("the password of user %s changes, and its other devices could not be ended", instance.pk)


def _password_has_changed(sender: Any, instance: Any, using: str, **_: Any) -> None:
    if _is_user(instance) and getattr(instance, "rescind_password_changes", False):
        instance.rescind_password_changes = False
        transaction.on_commit(partial(_end_others_again, instance), using=using)


def _end_others_again(user: Any) -> None:
    """In this order: what the old password signs in until it is replaced ends with the rest."""
    settings = rescind_settings()
    try:
        replaced = replace_password(settings, user)
        kept = _end_others(user)
        request, held = _own_session(user)
        if replaced and kept is None and held is not None and not held.is_apps:
            # Its device was live when the save began (`_password_is_to_change`), and ended with the old password.
            held = open_device(settings, user, end_user_of(request), [])
            held.put_into(request.session)
            request.rescind_held = held
    except (Unreachable, SignInRefused):
        log.error(
            "the password of user %s was changed; in Rescind the one of before may be in force, and what it has just"
            " signed in may go on: change it again",
            user.pk,
        )


def _end_others(user: Any) -> Held | None:
    """Ends the user's devices; the one that makes this request stays if it is the user's own, and is returned."""
    request, held = _own_session(user)
    kept = end_other_devices(rescind_settings(), user, held)
    if kept is not None:
        kept.put_into(request.session)
        if kept.is_apps:
            request.rescind_app_access = kept.access
        else:
            request.rescind_held = kept
    return kept


def _own_session(user: Any) -> tuple[Any, Held | None]:
    """The request that is being answered, and the device of its session if that is the user's own."""
    request = current_request.get()
    session = getattr(request, "session", None)
    held = None if session is None else Held.of(session)
    if held is None or held.user != primary_key(user) or not held.device:
        return request, None
    if held.is_apps:
        # The app has newer tokens than the session, and this request may have got one that is newer still.
        shown = request.headers.get("Authorization", "").partition(" ")[2].strip()
        held = held.renewed(getattr(request, "rescind_app_access", shown), held.refresh)
    return request, held


def _follows_passwords() -> bool:
    return are_devices() or bool(getattr(django_settings, "RESCIND", {}).get("SHARE_PASSWORDS"))


def _is_user(instance: Any) -> bool:
    return isinstance(instance, get_user_model())


def _changes_password(user: Any) -> bool:
    """Whether a save stores another password, and not the same one hashed anew."""
    if getattr(user, "_password", None) is not None:
        return True
    if is_password_usable(user.password):
        return False
    stored = get_user_model()._base_manager.filter(pk=user.pk).values_list("password", flat=True).first()
    return stored is not None and is_password_usable(stored)


def _is_of_an_app(request: Any) -> bool:
    """Whether allauth's headless API signs an app in, which has no cookie."""
    headless = getattr(getattr(request, "allauth", None), "headless", None)
    return getattr(headless, "client", None) == "app"


def _hands_out_tokens() -> bool:
    from allauth.headless import app_settings  # noqa: PLC0415 - only where it is installed

    from .headless import RescindTokenStrategy  # noqa: PLC0415

    return isinstance(app_settings.TOKEN_STRATEGY, RescindTokenStrategy)
