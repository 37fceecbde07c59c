"""The real service, and its guard, as processes with a folder of their own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

BINARY = os.environ.get("RESCIND", str(Path(__file__).parents[3] / "target/debug/rescind"))
PASSWORD = "correct horse battery"

#: The longest that anything here is waited for, in seconds. No test asserts a shorter time.
PATIENCE = 30.0


def until(condition: Callable[[], Any], what: str) -> Any:
    """Waits until the condition holds, and returns its value."""
    end = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A child process whose first line says where it listens."""

    def __init__(self, command: list[str], folder: Path, **environment: str) -> None:
        self._err = (folder / "err").open("a+", encoding="utf-8")
        self._child = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=self._err,
            text=True,
        )
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line.startswith("listening on "):
            self._err.seek(0)
            raise AssertionError(f"{command[1]} did not start: {line}{self._err.read()}")
        self.url = line.removeprefix("listening on ").strip()

    def send(self, what: signal.Signals) -> None:
        self._child.send_signal(what)

    def end(self) -> None:
        self._child.send_signal(signal.SIGCONT)
        self._child.kill()
        self._child.wait()
        assert self._child.stdout is not None
        self._child.stdout.close()
        self._err.close()


class Service:
    """A running service, with its store in a folder."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.folder = folder
        self._settings = list(settings)
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: Process | None = None
        self._admin: str | None = None
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=PATIENCE)
        self.start()

    def start(self) -> None:
        sets = [text for setting in self._settings for text in ("--set", setting)]
        listen = ["--listen", f"127.0.0.1:{self._port}", "--metrics-listen", "off"]
        self._process = Process([BINARY, "serve", *listen, *sets], self.folder)

    def kill(self) -> None:
        assert self._process is not None
        self._process.end()
        self._process = None

    def close(self) -> None:
        self._http.close()
        if self._process is not None:
            self.kill()

    def send(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send(what)

    def command(self, *words: str, stdin: str = "") -> str:
        done = subprocess.run(
            [BINARY, *words], cwd=self.folder, capture_output=True, text=True, check=False, input=stdin
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def service_key(self, *scopes: str) -> str:
        name = f"k{time.monotonic_ns()}"
        text = self.command(
            "service-key", "add", name, *(word for scope in scopes for word in ("--scope", scope))
        )
        found = re.search(r"rescind_sk_\S+", text)
        assert found is not None
        return found.group()

    @cached_property
    def site_key(self) -> str:
        """A key for a site that signs its users in itself."""
        return self.service_key("feed", "sessions", "admin")

    def post(self, path: str, bearer: str | None = None, **body: Any) -> dict[str, Any]:
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        answer = self._http.post(f"/api/v1/{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def code(self, token: str) -> str:
        """The code with which the service itself refuses the token, or `ok`."""
        answer = self._http.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
        return "ok" if answer.is_success else str(answer.json()["code"])

    def admin(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """An administrator's request, `users/…`."""
        if self._admin is None:
            self._admin = self.service_key("admin")
        headers = {"Authorization": f"Bearer {self._admin}"}
        answer = self._http.request(
            method, f"/api/v1/admin/{path}", headers=headers, json=body if body or method == "POST" else None
        )
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    @cached_property
    def _witness(self) -> str:
        """The id of a user without devices."""
        return str(self.admin("POST", "users", username="witness")["id"])

    def has_told(self, followers: int) -> bool:
        """Whether this many follow the feed, and all of them know whatever was done before the call."""
        said = self.admin("POST", f"users/{self._witness}/logout-all?wait=10s")
        return bool(said["followers"] == said["confirmed"] == followers)

    def devices(self, user: str, *, ended: bool = False) -> list[dict[str, Any]]:
        """The live devices of a user, or the ended ones."""
        found: list[dict[str, Any]] = self.admin("GET", f"users/{user}/devices?ended={str(ended).lower()}")[
            "results"
        ]
        return found

    def register(self, name: str) -> dict[str, Any]:
        return self.post("auth/register", username=name, password=PASSWORD)

    def login(self, name: str) -> dict[str, Any]:
        return self.post("auth/login", username=name, password=PASSWORD)


class Guard:
    """`rescind guard`: the same rules in Rust."""

    def __init__(self, folder: Path, url: str, key: str, issuer: str | None = None) -> None:
        command = [BINARY, "guard", "--url", url, "--audience", "rescind", "--listen", "127.0.0.1:0"]
        if issuer is not None:
            command += ["--issuer", issuer]
        self._process = Process(command, folder, RESCIND_SERVICE_KEY=key)
        self._http = httpx.Client(base_url=self._process.url, trust_env=False, timeout=PATIENCE)
        until(lambda: self._http.get("/readyz").status_code == 200, "the guard is ready")

    def code(self, token: str) -> str:
        """The code of a refusal, or `ok`."""
        answer = self._http.get("/verify", headers={"Authorization": f"Bearer {token}"})
        return "ok" if answer.status_code == 204 else str(answer.json()["code"])

    def close(self) -> None:
        self._http.close()
        self._process.end()
