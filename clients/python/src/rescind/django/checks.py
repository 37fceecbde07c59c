"""The checks of the settings, which `manage.py check` and every start of a server run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error
from django.core.exceptions import FieldDoesNotExist

from ..errors import ConfigurationError
from .sessions import PATH, are_devices
from .settings import rescind_settings

_AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


def check_settings(app_configs: Any, **_: Any) -> Iterable[CheckMessage]:
    """Reports the first fault of `RESCIND`, and a field that the user model lacks."""
    try:
        settings = rescind_settings()
        values = settings.values
    except ConfigurationError as error:
        return [Error(str(error), id="rescind.E001")]
    name = settings.user_field
    model = get_user_model()
    try:
        field = model._meta.pk if values[name] == "pk" else model._meta.get_field(values[name])
    except FieldDoesNotExist:
        message = f"RESCIND[{name!r}]: the model {model._meta.label} has no field {values[name]!r}"
        return [Error(message, id="rescind.E002")]
    if not getattr(field, "unique", False):
        message = f"RESCIND[{name!r}]: the field {values[name]!r} of {model._meta.label} is not unique"
        return [Error(message, id="rescind.E003")]
    return []


def check_sessions(app_configs: Any, **_: Any) -> Iterable[CheckMessage]:
    """Reports what the middleware of sessions lacks."""
    try:
        settings = rescind_settings()
    except ConfigurationError:
        return []
    if not (are_devices() or settings.shares_passwords or settings.follows_users):
        return []
    found: list[CheckMessage] = []
    order = [path for path in django_settings.MIDDLEWARE if path in (_AUTHENTICATION, PATH)]
    if are_devices() and order != [_AUTHENTICATION, PATH]:
        message = f"MIDDLEWARE has to have {PATH} once, after {_AUTHENTICATION}"
        found.append(Error(message, id="rescind.E004"))
    if settings.mode == "guard" or settings.user_field != "EXTERNAL_ID_FIELD":
        message = (
            "sessions as devices, SHARE_PASSWORDS and FOLLOW_USERS need the MODE 'feed' or 'introspection', and"
            " RESCIND['EXTERNAL_ID_FIELD']: write 'pk' for the primary key of the users"
        )
        found.append(Error(message, id="rescind.E005"))
    if "WHEN_UNREACHABLE" not in settings.values:
        message = (
            "RESCIND['WHEN_UNREACHABLE'] is missing: write 'refuse' if nobody is to be signed in while the service cannot be"
            " reached, or 'accept' if sessions go on unchecked then"
        )
        found.append(Error(message, id="rescind.E006"))
    return found
