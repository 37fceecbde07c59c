"""The site behind servers that run it in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).parent
ONCE = 24


def environment(database: Path, settings: dict[str, Any], **others: str) -> dict[str, str]:
    """The environment of a process with the site; `settings` are its `RESCIND`."""
    paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "DJANGO_SETTINGS_MODULE": "site_under_test.settings",
        "RESCIND_SETTINGS": json.dumps(settings),
        "SITE_DATABASE": str(database),
        **others,
    }


class Site:
    """A server with the site, as a process of its own."""

    def __init__(
        self,
        folder: Path,
        database: Path,
        settings: dict[str, Any],
        command: list[str],
        port: int,
        **others: str,
    ) -> None:
        """
        database: is copied.
        """
        file = Path(shutil.copy(database, folder / "site.sqlite3"))
        self._log = folder / "site.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command, env=environment(file, settings, **others), cwd=folder, stdout=log, stderr=log
            )
        self.url = f"http://127.0.0.1:{port}"
        self._at_once = ThreadPoolExecutor(4)
        # Each request on a connection of its own, so that any worker answers.
        limits = httpx.Limits(max_keepalive_connections=0)
        transport = httpx.HTTPTransport(limits=limits, retries=0)
        self._http = httpx.Client(base_url=self.url, transport=transport, trust_env=False, timeout=30)

    def get(self, token: str) -> httpx.Response | None:
        try:
            return self._http.get("/whoami", headers={"Authorization": f"Bearer {token}"})
        except httpx.TransportError:
            assert self.process.poll() is None, self.log()
            return None

    def answers(self, token: str) -> list[httpx.Response | None]:
        """Several at once, since a server may prefer one worker while it is free."""
        return list(self._at_once.map(self.get, [token] * ONCE))

    def workers(self, token: str) -> set[int]:
        """The workers that answered some requests in a row with 200; empty if one did not."""
        answers = self.answers(token)
        if any(answer is None or answer.status_code != 200 for answer in answers):
            return set()
        return {answer.json()["process"] for answer in answers if answer is not None}

    def refuses(self, token: str, status: int, code: str) -> bool:
        """Whether some requests in a row get this refusal, whichever worker answers."""
        answers = self.answers(token)
        return all(
            answer is not None and (answer.status_code, answer.json().get("code")) == (status, code)
            for answer in answers
        )

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """Ends the server as an operator would; nothing it wrote may be a fault."""
        self._at_once.shutdown()
        self._http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise

    def assert_clean(self) -> None:
        for fault in ["Traceback", "was destroyed", "never retrieved", "never awaited", "Exception ignored"]:
            assert fault not in self.log(), self.log()


def gunicorn(port: int, *options: str) -> list[str]:
    server = [sys.executable, "-m", "gunicorn", "--workers=2", "--bind", f"127.0.0.1:{port}", *options]
    return [*server, "--graceful-timeout=5", "site_under_test.wsgi"]


def uwsgi(port: int, *options: str) -> list[str]:
    server = [
        str(Path(sys.executable).with_name("uwsgi")),
        "--http-socket",
        f"127.0.0.1:{port}",
        "--master",
        "--processes=2",
    ]
    return [
        *server,
        "--die-on-term",
        "--need-app",
        "--module=site_under_test.wsgi",
        "--home",
        sys.prefix,
        *options,
    ]


def uvicorn(port: int) -> list[str]:
    server = [
        sys.executable,
        "-m",
        "uvicorn",
        "--workers=2",
        f"--port={port}",
        "--timeout-graceful-shutdown=5",
    ]
    return [*server, "site_under_test.asgi:application"]


COMMANDS: dict[str, Any] = {
    "uvicorn": uvicorn,
    "gunicorn": lambda port: gunicorn(port, "--preload"),
    "uwsgi": lambda port: uwsgi(port, "--enable-threads"),
}
