"""The site behind servers that fork their workers, before and after the verifier is connected."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drf.server import COMMANDS, Site, gunicorn, uwsgi
from service import Service, free_port, until


def settings(service: Service) -> dict[str, Any]:
    return {
        "URL": service.url,
        "AUDIENCE": "rescind",
        "SERVICE_KEY": service.service_key("feed"),
        "MAX_STALENESS": 1,
        "USER_ID_FIELD": "rescind_id",
        "CREATE_USERS": True,
    }


@pytest.fixture(
    params=[("gunicorn", ""), ("gunicorn", "yes"), ("uwsgi", ""), ("uvicorn", "")],
    ids=["gunicorn", "gunicorn-connected", "uwsgi", "uvicorn"],
)
def site_server(
    request: pytest.FixtureRequest, tmp_path: Path, site_database: Path, service: Service
) -> Iterator[Site]:
    name, connects = request.param
    port = free_port()
    server = Site(
        tmp_path, site_database, settings(service), COMMANDS[name](port), port, SITE_CONNECTS=connects
    )
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
    tmp_path: Path, site_database: Path, service: Service, options: list[str], message: str
) -> None:
    port = free_port()
    server = Site(
        tmp_path, site_database, settings(service), uwsgi(port, *options), port, SITE_CONNECTS="yes"
    )
    try:
        assert server.process.wait(30) != 0
        assert message in server.log()
    finally:
        server.stop()


def test_workers_of_gevent_are_told_what_to_use(
    tmp_path: Path, site_database: Path, service: Service
) -> None:
    port = free_port()
    server = Site(
        tmp_path,
        site_database,
        settings(service),
        gunicorn(port, "--worker-class=gevent"),
        port,
        SITE_CONNECTS="yes",
    )
    try:
        assert server.process.wait(30) != 0
        assert "gunicorn -k gthread" in server.log()
    finally:
        server.stop()
