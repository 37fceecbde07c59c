"""The README of `examples/django`: its commands, and the shop that they are typed beside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from example.proxy import Proxy
from service import BINARY, Service
from shop import PROJECT, Shop

#: Settings of the service: the first sign-in checks a hash of Django, which takes a build for tests long.
SLOW_HASHES = ("request_timeout=60s", "hash_wait=30s")

_BLOCK = re.compile(r"```(?:sh|toml)\n(.*?)\n```", re.DOTALL)
_COMMAND = re.compile(r"`((?:[A-Z_]+=\S+ )?(?:python manage\.py|rescind) [^`]+)`")


class Guide:
    """The README's blocks and commands, and which of them were not taken yet."""

    def __init__(self) -> None:
        text = (PROJECT / "README.md").read_text(encoding="utf-8")
        inline = [" ".join(command.split()) for command in _COMMAND.findall(_BLOCK.sub("", text))]
        self.left: list[str] = [*_BLOCK.findall(text), *inline]

    def take(self, part: str) -> str:
        """The first one left that has this text."""
        found = next((block for block in self.left if part in block), None)
        assert found is not None, f"no block of the README has {part!r}: {self.left}"
        self.left.remove(found)
        return found


class GuidedShop(Shop):
    """The shop, and a shell in a folder with its `manage.py` and the service's data."""

    def __init__(self, folder: Path, service: Service, database: str) -> None:
        super().__init__(folder, service, database)
        self.database = database
        (folder / "manage.py").symlink_to(PROJECT / "manage.py")
        programs = [Path(sys.executable).parent, Path(BINARY).parent, os.environ["PATH"]]
        self._environment["PATH"] = os.pathsep.join(map(str, programs))

    @property
    def is_on_postgres(self) -> bool:
        return self.database.startswith("postgres://")

    def type(self, command: str, *, fails: bool = False, **environment: str) -> str:
        """What a command prints, whose exit status has to be a failure or none."""
        done = subprocess.run(
            ["bash", "-e", "-u", "-o", "pipefail", "-c", command],
            cwd=self.folder,
            env={**self._environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"{command}: {done.stdout}"
        return done.stdout

    def bring_users(self) -> str:
        """Imports the users, as the README has it, and returns what it says."""
        return self.type(Guide().take("rescind user import django users.json"))


def switch_the_app(shop: GuidedShop, guide: Guide, proxy: Proxy) -> None:
    """Has Rescind answer SimpleJWT's routes, with the README's settings, and the proxy lead to it."""
    shop.type(guide.take("blacklist.txt"))
    key = shop.folder / "django-secret-key"
    key.write_text("only for this example, where nobody else reads it")
    key.chmod(0o600)
    # The README's day is some day, and this test is to be good for longer.
    text = guide.take("simplejwt_prefix").replace("/run/secrets/django-secret-key", str(key))
    restart_with(shop, re.sub(r'(?<=simplejwt_until = )"[\d-]+"', '"2099-12-31"', text))
    proxy.routes["/api/token/"] = shop.service.url


def restart_with(shop: GuidedShop, settings: str) -> None:
    """Starts the service again with another `rescind.toml`."""
    (shop.folder / "rescind.toml").write_text(settings)
    shop.service.kill()
    shop.service.start()
