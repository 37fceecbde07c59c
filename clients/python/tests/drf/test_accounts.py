"""Accounts of Django, imported by the service and exported again, with their passwords."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service import PASSWORD, Service

#: A project with Django's own user model, in a process of its own: settings can be configured once.
PROJECT = """
import json, sys
import django
from django.conf import settings
hasher = "django.contrib.auth.hashers.{}PasswordHasher"
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    PASSWORD_HASHERS=[hasher.format(name) for name in ["PBKDF2", "PBKDF2SHA1", "Scrypt", "Argon2"]],
    USE_TZ=True,
)
django.setup()
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import User
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
file, password = sys.argv[1:]
"""

DUMP = """
for number, name in enumerate(["pbkdf2_sha256", "pbkdf2_sha1", "scrypt", "argon2"], start=1001):
    User.objects.create(pk=number, username=name, password=make_password(password, hasher=name))
User.objects.create(pk=1010, username="nobody", password=make_password(None))
User.objects.create(pk=1011, username="gone", password=make_password(password), is_active=False)
call_command("dumpdata", "auth.user", output=file, verbosity=0)
"""

LOAD = """
call_command("loaddata", file, verbosity=0)
print(json.dumps({user.username: {
    "pk": user.pk,
    "active": user.is_active,
    "usable": user.has_usable_password(),
    "right": check_password(password, user.password),
    "wrong": check_password(password + "x", user.password),
    "algorithm": user.password.split("$")[0],
} for user in User.objects.all()}))
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service that may take long to answer: a build for tests takes long for a hash of Django."""
    service = Service(tmp_path, "request_timeout=60s", "hash_wait=30s")
    yield service
    service.close()


def run(step: str, file: Path) -> str:
    command = [sys.executable, "-c", PROJECT + step, str(file), PASSWORD]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_accounts_come_from_django_and_go_back_with_their_passwords(service: Service, tmp_path: Path) -> None:
    dump, fixture = tmp_path / "users.json", tmp_path / "back.jsonl"
    run(DUMP, dump)
    done = json.loads(service.command("user", "import", "django", str(dump), "--json"))
    assert (done["created"], done["without_password"], done["disabled"], done["left_out"]) == (6, 1, 1, 0)
    # A sign-in replaces the hash; the others go back as they came.
    service.login("pbkdf2_sha256")
    service.login("scrypt")
    service.command("user", "export", str(fixture))

    loaded: dict[str, Any] = json.loads(run(LOAD, fixture))
    assert set(loaded) == {"pbkdf2_sha256", "pbkdf2_sha1", "scrypt", "argon2", "nobody", "gone"}
    known = {"usable": True, "right": True, "wrong": False}
    assert loaded["pbkdf2_sha256"] == {"pk": 1001, "active": True, "algorithm": "argon2", **known}
    assert loaded["pbkdf2_sha1"] == {"pk": 1002, "active": True, "algorithm": "pbkdf2_sha1", **known}
    assert loaded["scrypt"] == {"pk": 1003, "active": True, "algorithm": "argon2", **known}
    assert loaded["argon2"] == {"pk": 1004, "active": True, "algorithm": "argon2", **known}
    assert loaded["gone"] == {"pk": 1011, "active": False, "algorithm": "pbkdf2_sha256", **known}
    assert not loaded["nobody"]["usable"]
