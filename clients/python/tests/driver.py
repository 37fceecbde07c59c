"""The app on a phone, which is `@rescind/client` in Node.js, and headless Chromium on a desktop: `tests/clients/driver.ts`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from service import PASSWORD, Service

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "tests/clients"


def missing() -> str | None:
    """What this machine lacks."""
    if shutil.which("node") is None:
        return "Node.js is missing"
    if not (FOLDER / "node_modules/playwright-core").exists():
        return "the npm packages of tests/clients are missing"
    if not (ROOT / "clients/typescript/dist/index.js").exists():
        return "clients/typescript is not built"
    if not Path(os.environ.get("CHROMIUM", "/usr/bin/chromium")).exists():
        return "chromium is missing"
    return None


class Failed(Exception):
    """A call failed, with a code of `@rescind/client` or an error of the browser."""


class Driver:
    """The process with the browser and the apps."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            ["node", "--import", "tsx", "driver.ts"],
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, actor: int | None, call: str, *given: Any) -> Any:
        """What an actor answers; for no actor, the number of a new one."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps({"actor": actor, "call": call, "given": given}) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        assert line, "the driver has ended"
        said = json.loads(line)
        if "error" in said:
            raise Failed(said["error"])
        return said["value"]

    def close(self) -> None:
        self._child.communicate()
        assert self._child.returncode == 0


class Page(NamedTuple):
    """The page that a browser shows."""

    #: With the query.
    path: str
    text: str


class Desktop:
    """A browser on a site, with a profile of its own."""

    def __init__(self, driver: Driver, site: str) -> None:
        self._driver = driver
        self._actor = driver.call(None, "desktop", site)

    def _call(self, call: str, *given: Any) -> Any:
        return self._driver.call(self._actor, call, *given)

    def open(self, path: str) -> Page:
        return Page(**self._call("open", path))

    def click(self, name: str) -> Page:
        """Clicks once on a link or a button."""
        return Page(**self._call("click", name))

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        self.open("/accounts/login/")
        self._call("fill", {"Username:": name, "Password:": password})
        page = self.click("Sign in")
        assert (page.path, name in page.text) == ("/", True), page

    def change_password(self, old: str, new: str) -> Page:
        self.open("/accounts/password_change/")
        names = ["Old password:", "New password:", "New password confirmation:"]
        self._call("fill", dict(zip(names, [old, new, new], strict=True)))
        return self.click("Change the password")

    @property
    def is_signed_in(self) -> bool:
        return self.open("/").path == "/"

    def close(self) -> None:
        self._call("close")


class Answer(NamedTuple):
    """An answer of the site's API."""

    status: int
    body: Any


class Phone:
    """The app, which signs in at the service and calls an API of the site."""

    def __init__(self, driver: Driver, service: Service, api: str) -> None:
        self._driver = driver
        self._actor = driver.call(None, "phone", service.url, api)

    def _call(self, call: str, *given: Any) -> Any:
        return self._driver.call(self._actor, call, *given)

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        self._call("login", name, password)

    def sign_out(self) -> dict[str, Any]:
        return dict(self._call("logout"))

    def sign_out_everywhere(self, wait: str | None = None) -> dict[str, Any]:
        """Signs out all devices; with `wait` the service answers once every worker of the site knows."""
        return dict(self._call("logoutAll", wait))

    def asks(self) -> Answer:
        """Calls the API; if the API refuses the token, refreshes the session and calls again."""
        return Answer(**self._call("asks"))

    @property
    def access_token(self) -> str:
        return str(self._call("accessToken"))

    @property
    def is_signed_in(self) -> bool:
        return self._call("session") is not None

    @property
    def reason(self) -> str | None:
        """Why the session has ended, if the app did not ask for it."""
        found: str | None = self._call("reason")
        return found

    def close(self) -> None:
        self._call("close")
