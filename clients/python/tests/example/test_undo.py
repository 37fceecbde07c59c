"""What the README of `examples/django` says of undoing each step, while gunicorn serves the step before it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from example.clients import Browser, NewApp, OldApp
from example.guide import SLOW_HASHES, Guide, GuidedShop, switch_the_app
from example.proxy import Proxy
from example.user import NEW, User
from service import PASSWORD, Service


@pytest.fixture(scope="module")
def database(folder: Path) -> str:
    """A file of SQLite, as the README has it."""
    return str(folder / "shop.sqlite3")


def test_step_1_undone_leaves_the_shop_as_it_was(shop: GuidedShop, ada: User) -> None:
    shop.run("step1")
    ada.sign_in()
    shop.run("start")
    shop.service.kill()
    try:
        assert ada.is_signed_in
    finally:
        shop.service.start()


def test_step_2_undone_leaves_rescind_with_old_passwords_and_a_new_store_has_todays(
    shop: GuidedShop, ada: User, tmp_path: Path
) -> None:
    shop.run("step2")
    ada.sign_in()
    shop.bring_users()
    shop.run("step1")
    assert ada.is_signed_in
    assert ada.change_password(PASSWORD, NEW) == 302
    shop.bring_users()
    assert not ada.signs_in_at_rescind(NEW)
    assert ada.signs_in_at_rescind(PASSWORD)
    shop.manage("step2", "dumpdata", "auth.user", "--output", str(tmp_path / "users.json"))
    with contextlib.closing(Service(tmp_path, *SLOW_HASHES)) as fresh:
        fresh.command("user", "import", "django", "users.json")
        with contextlib.closing(NewApp(fresh, shop.url)) as app:
            app.sign_in(ada.name, NEW)


def test_step_3_undone_refuses_rescinds_tokens_and_signs_out_nobody_else(shop: GuidedShop, ada: User) -> None:
    shop.run("step3")
    shop.bring_users()
    ada.sign_in()
    ada.new_app.sign_in(ada.name)
    assert ada.new_app.orders().status_code == 200
    shop.run("step2")
    assert ada.new_app.orders().status_code == 401
    assert ada.is_signed_in


def test_step_4_undone_goes_on_with_ended_sessions_until_all_are_deleted(shop: GuidedShop, ada: User) -> None:
    shop.run("step4")
    ada.sign_in()
    with contextlib.closing(Browser(shop.url)) as ended:
        ended.sign_in(ada.name)
        shop.service.admin("POST", f"users/{ada.address}/logout-all")
        assert ada.browser.sent_away() == "signed_out_everywhere"
        ada.browser.sign_in(ada.name)
        shop.run("step3")
        assert ada.is_signed_in
        assert ended.is_signed_in
        shop.run("step4")
        assert ended.sent_away() == "signed_out_everywhere"
    shop.run("step3")
    shop.type(Guide().take("Session.objects.all().delete()"))
    assert not ada.browser.is_signed_in
    assert ada.old_app.orders().status_code == 200


def test_step_5_undone_goes_on_with_simplejwts_refresh_tokens_until_they_are_blacklisted(
    shop: GuidedShop, proxy: Proxy, ada: User
) -> None:
    shop.run("step5")
    ada.sign_in()
    with contextlib.closing(OldApp(proxy.url)) as ended, contextlib.closing(OldApp(proxy.url)) as new:
        ended.sign_in(ada.name)
        switch_the_app(shop, Guide(), proxy)
        new.sign_in(ada.name)
        ended.sign_out()
        assert ended.refresh().status_code == 401
        assert ada.old_app.refresh().status_code == 200
        del proxy.routes["/api/token/"]
        shop.run("step4")
        assert ada.is_signed_in
        assert new.refresh().status_code == 401
        assert new.orders().status_code == 200
        for app in (ended, ada.old_app):
            assert app.refresh().status_code == 200
        shop.type(Guide().take("OutstandingToken"))
        for app in (ended, ada.old_app):
            assert app.refresh().status_code == 401
    assert ada.browser.is_signed_in


def test_step_6_undone_takes_the_old_again_except_for_the_sessions_that_ended(
    shop: GuidedShop, ada: User
) -> None:
    shop.run("step3")
    ada.sign_in()
    with contextlib.closing(Browser(shop.url)) as ended:
        ended.sign_in(ada.name)
        shop.run("step6")
        assert ended.sent_away() == "signed_out"
        assert ada.old_app.orders().status_code == 401
        shop.run("step5")
        assert not ended.is_signed_in
    assert ada.is_signed_in
    assert ada.old_app.refresh().status_code == 200
    assert len(shop.service.devices(ada.address)) == 1
