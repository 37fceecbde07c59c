"""The six steps of `examples/django`, one after the other, with Chromium and an app that stay signed in; and back."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from database import database_in
from driver import Desktop, Driver, Phone
from service import PASSWORD, Service, until
from shop import Shop

STEPS = ["start", "step1", "step2", "step3", "step4", "step5", "step6"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """The shop before the first step, and a service that answers SimpleJWT's routes too."""
    key = tmp_path / "django-secret-key"
    key.write_text("only for this example, where nobody else reads it")
    key.chmod(0o600)
    settings = ["simplejwt_prefix=/api", f"simplejwt_signing_key_file={key}", "simplejwt_until=2099-12-31"]
    # The first sign-in checks a hash of Django, which takes a build for tests long.
    service = Service(tmp_path, *settings, "request_timeout=60s", "hash_wait=30s")
    with database_in(tmp_path) as database:
        shop = Shop(tmp_path, service, database)
        shop.manage("start", "migrate", "--verbosity=0")
        yield shop
    service.close()


def imported(shop: Shop) -> tuple[int, int, int]:
    """The second step, from a dump: how many users came, were there already, and were left out."""
    dump = shop.folder / "users.json"
    shop.manage("step2", "dumpdata", "auth.user", "--output", str(dump))
    said = json.loads(shop.service.command("user", "import", "django", str(dump), "--json"))
    return said["created"], said["existing"], said["left_out"]


def test_the_six_steps_sign_nobody_out_and_can_be_undone(shop: Shop, driver: Driver) -> None:
    service = shop.service
    (key,) = shop.add_users("ada")
    address = f"external_id:{key}"
    for step in STEPS:
        shop.manage(step, "check", "--fail-level=WARNING")
    with contextlib.ExitStack() as stack:
        stack.callback(shop.close)
        browser = stack.enter_context(contextlib.closing(Desktop(driver, shop.url)))
        phone = stack.enter_context(contextlib.closing(Phone(driver, service, f"{shop.url}/api/orders/")))

        shop.run("start")
        browser.sign_in("ada")
        answer = httpx.post(
            f"{shop.url}/api/token/", data={"username": "ada", "password": PASSWORD}, trust_env=False
        )
        jwt, jwt_refresh = answer.json()["access"], answer.json()["refresh"]

        # 1 and 2: nothing changes here; Rescind gets to know the users.
        shop.run("step2")
        assert imported(shop) == (1, 0, 0)
        shop.add_users("bea")
        assert imported(shop) == (1, 1, 0)
        assert browser.is_signed_in
        assert shop.orders(jwt).json()["user"] == "ada"
        phone.sign_in("ada")
        assert phone.asks().status == 401

        # 3: the API takes both.
        shop.run("step3")
        assert shop.orders(jwt).json()["user"] == "ada"
        assert phone.asks().body["user"] == "ada"
        assert len(service.devices(address)) == 1

        # 4: the browser is a device too, and nobody was signed out.
        shop.run("step4")
        assert browser.is_signed_in
        assert len(service.devices(address)) == 2

        # Undone: Django's session is what it was.
        shop.run("step3")
        assert browser.is_signed_in
        shop.run("step5")
        assert browser.is_signed_in
        assert shop.orders(jwt).status_code == 200

        # 5: an app that cannot be changed is led to the service, and nobody signs in again.
        answer = httpx.post(
            f"{service.url}/api/token/refresh/", json={"refresh": jwt_refresh}, trust_env=False
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["access"].startswith("v4.public.")
        assert shop.orders(answer.json()["access"]).json()["user"] == "ada"
        assert len(service.devices(address)) == 3

        # 6: what is no session of Rescind is none.
        old = stack.enter_context(contextlib.closing(Desktop(driver, shop.url)))
        shop.run("step3")
        old.sign_in("ada")
        shop.run("step6")
        assert old.open("/").path.endswith("&ended=signed_out")
        assert browser.is_signed_in
        assert shop.orders(jwt).json()["code"] == "token_invalid"
        assert httpx.post(f"{shop.url}/api/token/", trust_env=False).status_code == 404
        assert phone.asks().status == 200
        until(lambda: service.has_told(followers=1), "the shop follows")
        assert phone.sign_out_everywhere(wait="10s")["in_force"] is True
        assert browser.click("Change the password").path.endswith("&ended=signed_out_everywhere")
