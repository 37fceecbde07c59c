from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest

from drf.server import environment
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


@pytest.fixture(scope="session")
def site_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the site's tables, for servers that are processes of their own."""
    file = tmp_path_factory.mktemp("site") / "site.sqlite3"
    command = [sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity=0"]
    settings = {"MODE": "guard", "USER_ID_FIELD": "rescind_id"}
    subprocess.run(command, env=environment(file, settings), check=True)
    return file


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


@pytest.fixture
def web(tables: None, shared_service: Service) -> Iterator[Any]:
    """Makes a site whose sessions are devices, with these settings; `MIDDLEWARE` and the like by their names."""
    from django.conf import settings as site_settings
    from django.contrib.auth import get_user_model
    from django.contrib.sessions.models import Session
    from django.test import override_settings

    from rescind.django import devices, users

    overrides: list[Any] = []
    base = list(site_settings.MIDDLEWARE)

    def make(service: Service = shared_service, **settings: Any) -> None:
        devices._silent_until = 0.0
        users.external_ids.__init__()  # type: ignore[misc]
        given = {
            "URL": service.url,
            "AUDIENCE": "rescind",
            "SERVICE_KEY": service.site_key,
            "EXTERNAL_ID_FIELD": "pk",
            "WHEN_UNREACHABLE": "refuse",
            **{name: settings.pop(name) for name in list(settings) if name in _RESCIND},
        }
        middleware = [*base, "rescind.django.sessions.DeviceSessionMiddleware"]
        others = {"MIDDLEWARE": middleware, **settings}
        override = override_settings(RESCIND={k: v for k, v in given.items() if v is not None}, **others)
        override.enable()
        overrides.append(override)

    yield make
    for override in reversed(overrides):
        override.disable()
    get_user_model().objects.all().delete()
    Session.objects.all().delete()


_RESCIND = {
    "MODE",
    "URL",
    "AUDIENCE",
    "SERVICE_KEY",
    "MAX_STALENESS",
    "EXTERNAL_ID_FIELD",
    "WHEN_UNREACHABLE",
    "EXISTING_SESSIONS",
    "SHARE_PASSWORDS",
    "FOLLOW_USERS",
}
