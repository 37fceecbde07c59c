"""Real parts together: a Django site behind gunicorn, on PostgreSQL where the tests have one, the service as a process, a
browser, and an app on a phone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

from database import database_in
from service import PASSWORD, Service, until
from shop import Browser, Phone, Shop

NEW = "correct horse battery 2"


class Parts(NamedTuple):
    """Ada on her desktop and with her phone."""

    name: str
    shop: Shop
    desktop: Browser
    phone: Phone
    service: Service


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop after its last step, with two workers."""
    folder = tmp_path_factory.mktemp("shop")
    service = Service(tmp_path_factory.mktemp("rescind"))
    with database_in(folder) as database:
        shop = Shop(folder, service, database)
        shop.manage("start", "migrate", "--verbosity=0")
        shop.run("step6", workers=2)
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
def ada(shop: Shop, names: Iterator[str]) -> Iterator[Parts]:
    """A user of the shop whom the service knows with the same password."""
    name = next(names)
    with contextlib.ExitStack() as stack:
        desktop = stack.enter_context(contextlib.closing(Browser(shop)))
        phone = stack.enter_context(contextlib.closing(Phone(shop)))
        desktop.sign_in(name)
        phone.sign_in(name)
        until(lambda: all(desktop.is_signed_in for _ in range(4)), "every worker takes the desktop")
        answer = phone.orders()
        assert (answer.status_code, answer.json()["user"]) == (200, name), answer.text
        yield Parts(name, shop, desktop, phone, shop.service)


def restart(service: Service) -> None:
    """As after a loss of power: killed, and started again."""
    service.kill()
    service.start()


def refused(phone: Phone, code: str) -> httpx.Response:
    answer: httpx.Response = until(
        lambda: (found := phone.orders()).status_code == 401 and found.json()["code"] == code and found,
        f"the phone is refused as {code}",
    )
    return answer


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_a_sign_out_on_the_phone_leaves_the_desktop_signed_in(ada: Parts, killed: bool) -> None:
    assert ada.phone.ask("logout", refresh=ada.phone.session["refresh"]).status_code == 200
    if killed:
        restart(ada.service)
    refused(ada.phone, "signed_out")
    until(lambda: all(ada.desktop.is_signed_in for _ in range(4)), "the desktop goes on")


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_all_devices_sends_the_desktop_to_the_sign_in_page(ada: Parts, killed: bool) -> None:
    assert ada.phone.ask("logout-all", ada.phone.session["access"]).json()["signed_out"] == 2
    if killed:
        restart(ada.service)
    answer = ada.desktop.sent_away()
    assert answer.headers["Location"] == "/accounts/login/?next=%2F&ended=signed_out_everywhere"
    assert "You were signed out of all your devices." in ada.desktop.get(answer.headers["Location"]).text
    # Nothing of before comes back, and a new sign-in is one.
    assert not ada.desktop.is_signed_in
    ada.desktop.sign_in(ada.name)
    assert ada.desktop.is_signed_in
    refused(ada.phone, "signed_out_everywhere")


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_a_new_password_in_django_ends_the_phone(ada: Parts, killed: bool) -> None:
    answer = ada.desktop.post(
        "/accounts/password_change/", old_password=PASSWORD, new_password1=NEW, new_password2=NEW
    )
    assert answer.status_code == 302, answer.text
    if killed:
        restart(ada.service)
    refused(ada.phone, "signed_out_everywhere")
    answer = ada.phone.refresh()
    assert (answer.status_code, answer.json()["code"]) == (401, "signed_out_everywhere")
    until(lambda: all(ada.desktop.is_signed_in for _ in range(4)), "the desktop goes on")


def test_the_site_is_on_postgresql_where_the_tests_have_one(shop: Shop) -> None:
    vendor = shop.manage("step6", "shell", "-c", "from django.db import connection; print(connection.vendor)")
    expected = "postgresql" if "TEST_DATABASE_URL" in os.environ else "sqlite"
    assert vendor.splitlines()[-1] == expected


def test_a_sign_out_on_the_desktop_leaves_the_phone(ada: Parts) -> None:
    assert ada.desktop.post("/accounts/logout/").status_code == 302
    assert not ada.desktop.is_signed_in
    assert ada.phone.orders().status_code == 200
    answer = ada.phone.ask("logout-all", ada.phone.session["access"])
    assert answer.json()["signed_out"] == 1
