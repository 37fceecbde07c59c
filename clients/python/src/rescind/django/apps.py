"""The Django app, which is only needed for its check of the settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import AppConfig
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import FieldDoesNotExist

from ..errors import ConfigurationError
from .settings import rescind_settings


class RescindConfig(AppConfig):
    """`rescind.django` in `INSTALLED_APPS`."""

    name = "rescind.django"
    label = "rescind"
    verbose_name = "Rescind"

    def ready(self) -> None:
        """Has `manage.py check` and every start of a server read the settings."""
        register(check_settings)


def check_settings(app_configs: Any, **_: Any) -> Iterable[CheckMessage]:
    """Reports the first fault of `RESCIND`, and a field that the user model lacks."""
    try:
        values = rescind_settings().values
    except ConfigurationError as error:
        return [Error(str(error), id="rescind.E001")]
    name = "USER_ID_FIELD" if "USER_ID_FIELD" in values else "USERNAME_FIELD"
    model = get_user_model()
    try:
        field = model._meta.get_field(values[name])
    except FieldDoesNotExist:
        message = f"RESCIND[{name!r}]: the model {model._meta.label} has no field {values[name]!r}"
        return [Error(message, id="rescind.E002")]
    if not getattr(field, "unique", False):
        message = f"RESCIND[{name!r}]: the field {values[name]!r} of {model._meta.label} is not unique"
        return [Error(message, id="rescind.E003")]
    return []
