"""Django's sessions as devices behind an asynchronous server, with two processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from drf.server import Site, environment, uvicorn
from service import PASSWORD, PATIENCE, Service, free_port, until

WORKERS = 2
NEW = "correct horse battery 2"


class Person(NamedTuple):
    """A user of the site."""

    key: int
    name: str
    site: Site
    service: Service

    @property
    def devices(self) -> set[str]:
        return {str(found["id"]) for found in self.service.devices(f"external_id:{self.key}")}

    def browser(self) -> httpx.Client:
        """A browser that is signed in. Each request is on a connection of its own, so that any process answers."""
        client = httpx.Client(
            base_url=self.site.url,
            transport=httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=0)),
            headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"},
            timeout=PATIENCE,
        )
        client.get("/accounts/login/")
        assert post(client, "/accounts/login/", username=self.name, password=PASSWORD) == "/page"
        return client


@pytest.fixture(scope="module")
def people(site_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[Person]]:
    """A user for each test, of one site behind uvicorn whose processes all follow the service."""
    folder, service = tmp_path_factory.mktemp("site"), Service(tmp_path_factory.mktemp("service"))
    settings = {
        "URL": service.url,
        "AUDIENCE": "rescind",
        "SERVICE_KEY": service.site_key,
        "EXTERNAL_ID_FIELD": "pk",
        "WHEN_UNREACHABLE": "refuse",
        "MAX_STALENESS": 5,
    }
    port = free_port()
    module = "site_under_test.sessions"
    site = Site(folder, site_database, settings, uvicorn(port), port, DJANGO_SETTINGS_MODULE=module)
    add_users(folder / "site.sqlite3")
    people = [Person(key, f"person-{key}", site, service) for key in range(1, 6)]
    until(lambda: is_up(site), "the server answers")
    first = people[0].browser()
    with ThreadPoolExecutor(8) as at_once:
        until(
            lambda: list(at_once.map(device_of, [first] * 16)) and service.has_told(WORKERS),
            "every process follows",
        )
    yield iter(people[1:])
    site.stop()
    site.assert_clean()
    service.close()


@pytest.fixture
def ada(people: Iterator[Person]) -> Person:
    return next(people)


def add_users(database: Path) -> None:
    code = (
        "from site_under_test.models import Person;"
        f"[Person.objects.create_user(f'person-{{key}}', password={PASSWORD!r}, pk=key) for key in range(1, 6)]"
    )
    without_devices = environment(database, {"MODE": "guard", "USER_ID_FIELD": "rescind_id"})
    subprocess.run([sys.executable, "-m", "django", "shell", "-c", code], env=without_devices, check=True)


def is_up(site: Site) -> bool:
    try:
        return httpx.get(f"{site.url}/public", trust_env=False).status_code == 200
    except httpx.TransportError:
        assert site.process.poll() is None, site.log()
        return False


def post(client: httpx.Client, path: str, **fields: str) -> str | None:
    """Sends a form, and returns where its answer leads."""
    answer = client.post(path, data={**fields, "csrfmiddlewaretoken": client.cookies["csrftoken"]})
    assert answer.status_code < 400, answer.text
    return answer.headers.get("Location")


def device_of(client: httpx.Client) -> str:
    answer = client.get("/page")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["device"])


def sent_away(client: httpx.Client) -> str:
    """Where one request leads."""
    answer = client.get("/page")
    assert answer.status_code == 302, answer.text
    return str(answer.headers["Location"])


def test_each_session_is_a_device_until_its_sign_out(ada: Person) -> None:
    one, other = ada.browser(), ada.browser()
    assert ada.devices == {device_of(one), device_of(other)}
    post(one, "/accounts/logout/")
    assert ada.devices == {device_of(other)}
    assert sent_away(one) == "/accounts/login/?next=/page"


def test_what_ended_elsewhere_leads_to_the_sign_in_page(ada: Person) -> None:
    clients = [ada.browser(), ada.browser()]
    ada.service.admin("POST", f"users/external_id:{ada.key}/logout-all")
    assert ada.service.has_told(WORKERS)
    for client in clients:
        assert sent_away(client) == "/accounts/login/?next=%2Fpage&ended=signed_out_everywhere"


def test_a_new_password_ends_the_other_sessions(ada: Person) -> None:
    one, other = ada.browser(), ada.browser()
    device = device_of(one)
    fields = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    assert post(one, "/accounts/password_change/", **fields) == "/accounts/password_change/done/"
    assert ada.devices == {device} == {device_of(one)}
    assert ada.service.has_told(WORKERS)
    assert sent_away(other).endswith("ended=signed_out_everywhere")


def test_while_the_service_is_away_sessions_wait_for_it(ada: Person) -> None:
    client = ada.browser()
    device = device_of(client)
    ada.service.kill()
    until(lambda: client.get("/page").status_code == 503, "freshness is not proven")
    assert httpx.get(f"{ada.site.url}/public", trust_env=False).status_code == 200
    ada.service.start()
    until(lambda: ada.service.has_told(WORKERS), "every process follows again")
    until(lambda: client.get("/page").status_code == 200, "the session goes on")
    assert device_of(client) == device
