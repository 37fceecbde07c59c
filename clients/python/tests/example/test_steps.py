"""What the README of `examples/django` says of each step, while gunicorn serves it beside the service."""

from __future__ import annotations

import contextlib

import httpx

from example.clients import Browser, OldApp
from example.guide import Guide, GuidedShop, restart_with, switch_the_app
from example.proxy import Proxy
from example.user import NEW, User
from service import PASSWORD, until


def test_before_the_steps_an_access_token_goes_on_after_every_sign_out(shop: GuidedShop, ada: User) -> None:
    shop.run("start")
    ada.sign_in()
    ada.old_app.sign_out()
    ada.browser.post("/accounts/logout/")
    assert not ada.browser.is_signed_in
    assert ada.old_app.orders().status_code == 200


def test_step_1_asks_rescind_for_nothing(shop: GuidedShop, ada: User) -> None:
    shop.run("step1")
    shop.service.kill()
    try:
        ada.sign_in()
        assert ada.change_password(PASSWORD, NEW) == 302
        assert ada.old_app.refresh().status_code == 200
        assert ada.is_signed_in
    finally:
        shop.service.start()


def test_from_step_2_on_a_new_password_is_one_in_rescind_as_well(shop: GuidedShop, ada: User) -> None:
    shop.run("step2")
    ada.sign_in()
    shop.bring_users()
    assert ada.signs_in_at_rescind(PASSWORD)
    assert ada.change_password(PASSWORD, NEW) == 302
    assert ada.is_signed_in
    assert not ada.signs_in_at_rescind(PASSWORD)
    assert ada.signs_in_at_rescind(NEW)


def test_a_password_that_is_changed_during_the_import_has_to_be_changed_again(
    shop: GuidedShop, ada: User
) -> None:
    shop.run("step2")
    ada.sign_in()
    dump, rest = Guide().take("rescind user import django users.json").split("\nrescind ")
    shop.type(dump)
    assert ada.change_password(PASSWORD, NEW) == 302
    shop.type(f"rescind {rest}")
    assert not ada.signs_in_at_rescind(NEW)
    assert ada.change_password(NEW, f"{NEW} again") == 302
    assert ada.signs_in_at_rescind(f"{NEW} again")


def test_at_step_2_no_password_is_changed_while_rescind_cannot_be_reached(
    shop: GuidedShop, ada: User
) -> None:
    shop.run("step2")
    ada.sign_in()
    shop.service.kill()
    try:
        assert ada.change_password(PASSWORD, NEW) == 500
        assert ada.is_signed_in
    finally:
        shop.service.start()
    ada.sign_in()


def test_from_step_3_on_the_api_answers_to_simplejwts_tokens_what_it_did(shop: GuidedShop, ada: User) -> None:
    answers = []
    for step in ("start", "step3"):
        shop.run(step)
        ada.sign_in()
        tokens = [ada.old_app.access, ada.old_app.refresh_token, "x.y.z", "x"]
        said = [ada.old_app.orders(token) for token in tokens]
        said.append(httpx.get(f"{shop.url}/api/orders/", trust_env=False))
        answers.append([(answer.status_code, answer.json()) for answer in said])
    assert answers[0] == answers[1]


def test_from_step_4_on_a_sign_in_makes_the_user_in_rescind(shop: GuidedShop, ada: User) -> None:
    shop.run("step4")
    assert not ada.signs_in_at_rescind()
    ada.browser.sign_in(ada.name)
    assert ada.signs_in_at_rescind()


def test_at_step_5_an_app_that_cannot_be_changed_goes_on_and_what_was_blacklisted_stays_so(
    shop: GuidedShop, proxy: Proxy, ada: User
) -> None:
    shop.run("step4")
    shop.bring_users()
    ada.sign_in()
    assert ada.is_signed_in
    with contextlib.closing(OldApp(proxy.url)) as other:
        other.sign_in(ada.name)
        other.sign_out()
        before = other.refresh()
        shop.run("step5")
        switch_the_app(shop, Guide(), proxy)
        after = other.refresh()
    assert (before.status_code, before.json()) == (after.status_code, after.json())
    assert after.json()["detail"] == "Token is blacklisted"
    assert ada.old_app.orders().status_code == 200
    assert ada.old_app.refresh().status_code == 200
    assert ada.old_app.access.startswith("v4.public.")
    assert ada.is_signed_in
    assert len(shop.service.devices(ada.address)) == 2
    ada.new_app.sign_in(ada.name)
    ada.new_app.ask("logout-all")
    assert ada.browser.sent_away() == "signed_out_everywhere"
    until(lambda: ada.old_app.orders().status_code == 401, "the old app is signed out")
    assert ada.old_app.refresh().status_code == 401
    ada.old_app.sign_in(ada.name)
    ada.old_app.sign_out()
    assert ada.old_app.refresh().status_code == 401


def test_at_step_6_the_old_is_gone_and_each_device_ends_from_any_other(
    shop: GuidedShop, proxy: Proxy, ada: User
) -> None:
    shop.run("step5")
    switch_the_app(shop, Guide(), proxy)
    shop.bring_users()
    ada.sign_in()
    ada.new_app.sign_in(ada.name)
    shop.run("step3")
    with contextlib.closing(OldApp(shop.url)) as late, contextlib.closing(Browser(shop.url)) as old:
        late.sign_in(ada.name)
        old.sign_in(ada.name)
        shop.run("step6")
        kept = [line for line in Guide().take("simplejwt_prefix").splitlines() if _stays(line)]
        restart_with(shop, "\n".join(kept))
        assert old.sent_away() == "signed_out"
        assert late.orders().json()["code"] == "token_invalid"
    for path in ("", "refresh/", "blacklist/"):
        assert httpx.post(f"{shop.url}/api/token/{path}", trust_env=False).status_code == 404
    assert ada.is_signed_in
    assert ada.new_app.orders().status_code == 200
    (browser,) = [device for device in shop.service.devices(ada.address) if device["kind"] == "browser"]
    ada.new_app.end(browser["id"])
    assert ada.browser.sent_away() == "signed_out"
    ada.browser.sign_in(ada.name)
    assert ada.change_password(PASSWORD, NEW) == 302
    assert ada.browser.is_signed_in
    until(lambda: ada.new_app.orders().status_code == 401, "the new app is signed out")
    until(lambda: ada.old_app.orders().status_code == 401, "the old app is signed out")


def _stays(line: str) -> bool:
    return line.startswith(("simplejwt_prefix", "trusted_proxies"))
