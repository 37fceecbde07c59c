"""The Django app: checks of the settings, and what happens in Rescind at sign-ins, sign-outs and changes of users."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register


class RescindConfig(AppConfig):
    """`rescind.django` in `INSTALLED_APPS`."""

    name = "rescind.django"
    label = "rescind"
    verbose_name = "Rescind"

    def ready(self) -> None:
        """Has `manage.py check` and every start of a server read the settings, and follows Django's signals."""
        from . import accounts, checks, signals  # noqa: PLC0415 - they need the models, which are there now

        register(checks.check_settings)
        register(checks.check_sessions)
        signals.connect()
        accounts.connect()
