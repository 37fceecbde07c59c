"""The project in `examples/django` behind gunicorn, a browser, and an app on a phone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from service import PASSWORD, PATIENCE, Service, free_port, until

PROJECT = Path(__file__).parents[3] / "examples/django"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


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
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "RESCIND_URL": service.url,
            "RESCIND_SERVICE_KEY_FILE": str(key),
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
        command = [sys.executable, "-m", "gunicorn", f"--workers={workers}", f"--bind=127.0.0.1:{self.port}"]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [*command, "--graceful-timeout=2", "shop.wsgi"],
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


class Browser:
    """A browser on a desktop, which follows no redirect by itself."""

    def __init__(self, shop: Shop) -> None:
        headers = {"User-Agent": FIREFOX, "Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
        self._http = httpx.Client(base_url=shop.url, headers=headers, trust_env=False, timeout=PATIENCE)

    def close(self) -> None:
        self._http.close()

    def get(self, path: str) -> httpx.Response:
        return self._http.get(path)

    def post(self, path: str, **fields: str) -> httpx.Response:
        page = self._http.get("/accounts/login/" if path.startswith("/accounts/log") else path)
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert found is not None, page.text
        return self._http.post(path, data={**fields, "csrfmiddlewaretoken": found.group(1)})

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        answer = self.post("/accounts/login/", username=name, password=password, next="/")
        assert answer.status_code == 302, answer.text

    @property
    def is_signed_in(self) -> bool:
        return self.get("/").status_code == 200

    def sent_away(self) -> httpx.Response:
        """The redirect of the first click that does not get the page."""
        answer: httpx.Response = until(
            lambda: (found := self.get("/")).status_code == 302 and found, "the desktop is signed out"
        )
        return answer


class Phone:
    """The app: it signs in at the service and calls the shop's API."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self._http = httpx.Client(
            headers={"User-Agent": "Shop/2.0 (Android 15)"}, trust_env=False, timeout=PATIENCE
        )
        self.session: dict[str, Any] = {}

    def close(self) -> None:
        self._http.close()

    def ask(self, path: str, token: str | None = None, **body: Any) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self._http.post(f"{self.shop.service.url}/api/v1/auth/{path}", json=body, headers=headers)

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        answer = self.ask("login", username=name, password=password)
        assert answer.status_code == 200, answer.text
        self.session = answer.json()

    def refresh(self) -> httpx.Response:
        answer = self.ask("refresh", refresh=self.session["refresh"])
        if answer.is_success:
            self.session = answer.json()
        return answer

    def orders(self, token: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.session['access']}"}
        return self._http.get(f"{self.shop.url}/api/orders/", headers=headers)
