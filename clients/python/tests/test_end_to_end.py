"""Real parts together: a Django site behind gunicorn, on PostgreSQL where the tests have one, the service as a process,
Chromium on a desktop, and an app with `@rescind/client`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from database import database_in
from driver import Desktop, Driver, Failed, Phone
from service import PASSWORD, Service, until
from shop import Shop

NEW = "correct horse battery 2"
WORKERS = 2


class Parts(NamedTuple):
    """Ada on her desktop and with her phone."""

    name: str
    shop: Shop
    desktop: Desktop
    phone: Phone
    service: Service


@pytest.fixture(scope="module")
def shop(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop after its last step."""
    folder = tmp_path_factory.mktemp("shop")
    service = Service(tmp_path_factory.mktemp("rescind"), "request_timeout=60s")
    with database_in(folder) as database:
        shop = Shop(folder, service, database)
        shop.manage("start", "migrate", "--verbosity=0")
        shop.run("step6", WORKERS)
        yield shop
        shop.close()
    service.close()


@pytest.fixture(scope="module")
def names(shop: Shop) -> Iterator[str]:
    """A user for each test."""
    names = [f"ada-{number}" for number in range(10)]
    for name, key in zip(names, shop.add_users(*names), strict=True):
        shop.service.admin("POST", "users", username=name, external_id=str(key), password=PASSWORD)
    return iter(names)


@pytest.fixture
def ada(shop: Shop, driver: Driver, names: Iterator[str]) -> Iterator[Parts]:
    """A user of the shop whom the service knows with the same password; every worker of the shop has met her."""
    name = next(names)
    with contextlib.ExitStack() as stack:
        desktop = stack.enter_context(contextlib.closing(Desktop(driver, shop.url)))
        api = f"{shop.url}/api/orders/"
        phone = stack.enter_context(contextlib.closing(Phone(driver, shop.service, api)))
        desktop.sign_in(name)
        phone.sign_in(name)
        answer = phone.asks()
        assert (answer.status, answer.body["user"]) == (200, name), answer
        token = phone.access_token
        until(
            lambda: shop.orders(token).status_code == 200 and shop.service.has_told(WORKERS),
            "every worker follows",
        )
        yield Parts(name, shop, desktop, phone, shop.service)


def restart(service: Service) -> None:
    """Restarts the service as after a loss of power, and waits until every worker has reconnected and caught up."""
    service.kill()
    service.start()
    until(lambda: service.has_told(WORKERS), "every worker follows again")


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_a_sign_out_on_the_phone_leaves_the_desktop_signed_in(ada: Parts, killed: bool) -> None:
    copied = ada.phone.access_token
    assert ada.phone.sign_out()["delivered"] is True
    if killed:
        restart(ada.service)
    assert ada.service.has_told(WORKERS)
    assert not ada.phone.is_signed_in
    assert ada.shop.orders(copied).json()["code"] == "signed_out"
    assert ada.desktop.click("Change the password").path == "/accounts/password_change/"
    assert ada.desktop.is_signed_in


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_all_devices_sends_the_desktop_to_the_sign_in_page_at_its_next_click(
    ada: Parts, killed: bool
) -> None:
    copied = ada.phone.access_token
    if killed:
        answer = ada.phone.sign_out_everywhere()
        restart(ada.service)
    else:
        answer = ada.phone.sign_out_everywhere(wait="10s")
        assert answer["in_force"] is True
    assert (answer["delivered"], answer["signed_out"]) == (True, 2)
    page = ada.desktop.click("Change the password")
    assert page.path == "/accounts/login/?next=%2Faccounts%2Fpassword_change%2F&ended=signed_out_everywhere"
    assert "You were signed out of all your devices." in page.text
    assert ada.shop.orders(copied).json()["code"] == "signed_out_everywhere"
    # Nothing of before comes back, and a new sign-in is one.
    assert not ada.desktop.is_signed_in
    ada.desktop.sign_in(ada.name)


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_a_new_password_in_django_ends_the_phone(ada: Parts, killed: bool) -> None:
    page = ada.desktop.change_password(PASSWORD, NEW)
    assert page.path == "/accounts/password_change/done/", page
    if killed:
        restart(ada.service)
    assert ada.service.has_told(WORKERS)
    # The shop refuses the app, which asks the service for new tokens and is given the reason.
    with pytest.raises(Failed, match="signed_out_everywhere"):
        ada.phone.asks()
    assert (ada.phone.is_signed_in, ada.phone.reason) == (False, "signed_out_everywhere")
    assert ada.desktop.is_signed_in
    ada.phone.sign_in(ada.name, NEW)


def test_a_sign_out_on_the_desktop_leaves_the_phone(ada: Parts) -> None:
    assert ada.desktop.click("Sign out").path == "/accounts/login/"
    assert not ada.desktop.is_signed_in
    assert ada.phone.asks().status == 200
    assert ada.phone.sign_out_everywhere()["signed_out"] == 1


def test_the_site_is_on_postgresql_where_the_tests_have_one(shop: Shop) -> None:
    vendor = shop.manage("step6", "shell", "-c", "from django.db import connection; print(connection.vendor)")
    expected = "postgresql" if "TEST_DATABASE_URL" in os.environ else "sqlite"
    assert vendor.splitlines()[-1] == expected
