from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest

from service import Service

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
os.environ["DJANGO_SETTINGS_MODULE"] = "site_under_test.settings"
django.setup()


@pytest.fixture(scope="session")
def tables() -> None:
    """The tables of the site, in memory."""
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)


@pytest.fixture
def site(tables: None, shared_service: Service) -> Iterator[Any]:
    """Makes a test client of a site with these settings."""
    from django.contrib.auth import get_user_model
    from django.test import Client, override_settings

    overrides: list[Any] = []

    def make(**settings: Any) -> Client:
        given = {
            "URL": shared_service.url,
            "AUDIENCE": "rescind",
            "SERVICE_KEY": shared_service.service_key("feed", "introspect"),
            **settings,
        }
        override = override_settings(
            RESCIND={name: value for name, value in given.items() if value is not None}
        )
        override.enable()
        overrides.append(override)
        return Client()

    yield make
    for override in reversed(overrides):
        override.disable()
    get_user_model().objects.all().delete()
