"""The project in `examples/django` behind gunicorn."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from service import PASSWORD, PATIENCE, Service, free_port, until

PROJECT = Path(__file__).parents[3] / "examples/django"


class Shop:
    """The shop at one of its steps: `start`, `step1`, …"""

    def __init__(self, folder: Path, service: Service, database: str) -> None:
        """
        database: as `SHOP_DATABASE` takes it.
        """
        self.folder = folder
        self.service = service
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        key = folder / "service-key"
        key.write_text(service.service_key("feed", "sessions", "admin"))
        paths = [str(PROJECT), os.environ.get("PYTHONPATH", "")]
        # Other tests in this process have settings of their own.
        inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        self._environment = {
            **inherited,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SHOP_RESCIND_URL": service.url,
            "SHOP_SERVICE_KEY_FILE": str(key),
            "SHOP_DATABASE": database,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "shop.log"

    def manage(self, step: str, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, str(PROJECT / "manage.py"), *words],
            env={**self._environment, "DJANGO_SETTINGS_MODULE": f"shop.settings.{step}"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def add_users(self, *names: str) -> list[int]:
        """Adds users to the shop, all with one password; returns their primary keys."""
        code = (
            "from django.contrib.auth.models import User; from django.contrib.auth.hashers import make_password;"
            f"password = make_password({PASSWORD!r});"
            f"print(*(User.objects.create(username=name, password=password).pk for name in {names!r}))"
        )
        return [int(key) for key in self.manage("start", "shell", "-c", code).splitlines()[-1].split()]

    def run(self, step: str, workers: int = 1) -> None:
        """Serves the shop at this step, instead of what is served now."""
        self.stop()
        server = [sys.executable, "-m", "gunicorn", f"--bind=127.0.0.1:{self.port}", f"--workers={workers}"]
        # A browser opens connections before it needs them, each of which would hold up a worker without threads.
        threads = ["--worker-class=gthread", "--threads=4", "--graceful-timeout=2"]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [*server, *threads, "shop.wsgi"],
                env={**self._environment, "DJANGO_SETTINGS_MODULE": f"shop.settings.{step}"},
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        until(self._answers, f"the shop answers at {step}")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            return httpx.get(f"{self.url}/accounts/login/", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def orders(self, token: str) -> httpx.Response:
        """The API's answer to somebody with this token, on a connection of its own, so that any worker answers."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{self.url}/api/orders/", headers=headers, trust_env=False, timeout=PATIENCE)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def close(self) -> None:
        self.stop()
        assert "Traceback" not in self._log.read_text(), self._log.read_text()
