"""The site behind servers that fork their workers, before and after the verifier is connected."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from service import Service, free_port, until

HERE = Path(__file__).parent
ONCE = 24


class Site:
    """A server with the site, as a process of its own."""

    def __init__(
        self, folder: Path, database: Path, service: Service, command: list[str], port: int, connects: str
    ) -> None:
        settings = {
            "URL": service.url,
            "AUDIENCE": "rescind",
            "SERVICE_KEY": service.service_key("feed"),
            "MAX_STALENESS": 1,
            "USER_ID_FIELD": "rescind_id",
            "CREATE_USERS": True,
        }
        paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
        settings_of_site = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "DJANGO_SETTINGS_MODULE": "site_under_test.settings",
            "RESCIND_SETTINGS": json.dumps(settings),
            "SITE_DATABASE": str(folder / "site.sqlite3"),
            "SITE_CONNECTS": connects,
        }
        shutil.copy(database, folder / "site.sqlite3")
        self._log = folder / "site.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(command, env=settings_of_site, cwd=folder, stdout=log, stderr=log)
        self._at_once = ThreadPoolExecutor(4)
        # Each request on a connection of its own, so that any worker answers.
        limits = httpx.Limits(max_keepalive_connections=0)
        transport = httpx.HTTPTransport(limits=limits, retries=0)
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", transport=transport, trust_env=False, timeout=30
        )

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


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the site's tables."""
    file = tmp_path_factory.mktemp("site") / "site.sqlite3"
    command = [sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity=0"]
    paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
    environment = {"PYTHONPATH": os.pathsep.join(path for path in paths if path), "SITE_DATABASE": str(file)}
    settings = {"RESCIND_SETTINGS": json.dumps({"MODE": "guard", "USER_ID_FIELD": "rescind_id"})}
    subprocess.run(command, env={**os.environ, **environment, **settings}, check=True)
    return file


@pytest.fixture(
    params=[("gunicorn", ""), ("gunicorn", "yes"), ("uwsgi", ""), ("uvicorn", "")],
    ids=["gunicorn", "gunicorn-connected", "uwsgi", "uvicorn"],
)
def site_server(
    request: pytest.FixtureRequest, tmp_path: Path, database: Path, service: Service
) -> Iterator[Site]:
    name, connects = request.param
    port = free_port()
    server = Site(tmp_path, database, service, COMMANDS[name](port), port, connects)
    yield server
    server.stop()
    server.assert_clean()


def test_every_worker_follows_for_itself(site_server: Site, service: Service) -> None:
    session, other = service.register("ada"), service.register("bea")
    workers = until(
        lambda: len(found := site_server.workers(session["access"])) == 2 and found, "two workers answer"
    )
    assert site_server.process.pid not in workers

    service.post("auth/logout", refresh=session["refresh"])
    until(lambda: site_server.refuses(session["access"], 401, "signed_out"), "both refuse")
    assert site_server.workers(other["access"])

    service.kill()
    until(lambda: site_server.refuses(other["access"], 503, "stale"), "both refuse what cannot be proven")
    # What ended stays ended.
    assert site_server.refuses(session["access"], 401, "signed_out")
    service.start()
    assert until(lambda: site_server.workers(other["access"]), "both accept again") <= workers

    # A worker that is replaced does not disturb the others.
    os.kill(min(workers), signal.SIGKILL)
    until(lambda: len(site_server.workers(other["access"])) == 2, "a new worker follows, too")
    service.post("auth/logout-all", other["access"])
    until(lambda: site_server.refuses(other["access"], 401, "signed_out_everywhere"), "both refuse")


@pytest.mark.parametrize(
    ("options", "message"),
    [([], "set `enable-threads = true`"), (["--enable-threads"], "set `lazy-apps = true`")],
)
def test_uwsgi_that_cannot_run_a_thread_is_told_so(
    tmp_path: Path, database: Path, service: Service, options: list[str], message: str
) -> None:
    port = free_port()
    server = Site(tmp_path, database, service, uwsgi(port, *options), port, "yes")
    try:
        assert server.process.wait(30) != 0
        assert message in server.log()
    finally:
        server.stop()


def test_workers_of_gevent_are_told_what_to_use(tmp_path: Path, database: Path, service: Service) -> None:
    port = free_port()
    server = Site(tmp_path, database, service, gunicorn(port, "--worker-class=gevent"), port, "yes")
    try:
        assert server.process.wait(30) != 0
        assert "gunicorn -k gthread" in server.log()
    finally:
        server.stop()
