"""The commands and settings of the README of `examples/django`, one after the other: there and back."""

from __future__ import annotations

import contextlib
import re

from example.clients import Browser
from example.guide import Guide, GuidedShop, switch_the_app
from example.proxy import ADDRESS, Proxy
from example.user import User

STEPS = ["start", "step1", "step2", "step3", "step4", "step5", "step6"]


def test_the_readmes_commands_lead_through_the_six_steps_and_back_and_sign_nobody_out(
    shop: GuidedShop, proxy: Proxy, ada: User
) -> None:
    guide = Guide()
    begin(shop, guide, ada)
    stand_side_by_side(shop, guide, ada)
    import_users(shop, guide, ada)
    switch_the_api(shop, ada)
    make_sessions_devices(shop, guide, ada)
    switch_the_old_app(shop, guide, proxy, ada)
    switch_off_the_old(shop, ada)
    go_back(shop, guide, proxy, ada)
    assert guide.left == []


def begin(shop: GuidedShop, guide: Guide, ada: User) -> None:
    # It downloads; what it names is installed.
    guide.take("pip install django")
    shop.type(guide.take("gunicorn shop.wsgi"), GUNICORN_CMD_ARGS="--check-config")
    for step in STEPS:
        shop.manage(step, "check", "--fail-level=WARNING")
    shop.manage(STEPS[-1], "migrate", "--check")
    shop.run("start")
    ada.sign_in()


def stand_side_by_side(shop: GuidedShop, guide: Guide, ada: User) -> None:
    assert guide.take("rescind serve") == "rescind serve"
    file = shop.folder / "service-key"
    file.unlink()
    check = guide.take("manage.py check")
    assert f"{file}: No such file" in shop.type(check, fails=True)
    found = re.search(r"rescind_sk_\S+", shop.type(guide.take("rescind service-key add")))
    assert found is not None
    file.write_text(found.group())
    shop.type(check)
    shop.run("step1")
    assert ada.is_signed_in


def import_users(shop: GuidedShop, guide: Guide, ada: User) -> None:
    shop.run("step2")
    commands = guide.take("rescind user import django users.json")
    shop.type(commands.replace("django users.json", "django users.json --dry-run"))
    assert shop.service.admin("GET", "users")["results"] == []
    shop.type(commands)
    (user,) = shop.service.admin("GET", "users")["results"]
    assert f"external_id:{user['external_id']}" == ada.address
    assert not (shop.folder / "users.json").exists()
    shop.add_users("bea")
    command = guide.take("rescind user import django postgres://")
    if shop.is_on_postgres:
        shop.type(command.replace("postgres://USER@HOST/DATABASE", shop.database))
    else:
        shop.type(commands)
    assert len(shop.service.admin("GET", "users")["results"]) == 2
    assert ada.is_signed_in


def switch_the_api(shop: GuidedShop, ada: User) -> None:
    ada.new_app.sign_in(ada.name)
    assert ada.new_app.orders().status_code == 401
    shop.run("step3")
    assert ada.new_app.orders().json()["user"] == ada.name
    assert ada.is_signed_in


def make_sessions_devices(shop: GuidedShop, guide: Guide, ada: User) -> None:
    shop.run("step4")
    assert ada.is_signed_in
    assert len(shop.service.devices(ada.address)) == 2
    with contextlib.closing(Browser(shop.url)) as one, contextlib.closing(Browser(shop.url)) as other:
        for browser in (one, other):
            browser.sign_in("bea")
        shop.type(guide.take("rescind user logout-all NAME").replace("NAME", "bea"))
        for browser in (one, other):
            assert browser.sent_away() == "signed_out_everywhere"


def switch_the_old_app(shop: GuidedShop, guide: Guide, proxy: Proxy, ada: User) -> None:
    shop.run("step5")
    switch_the_app(shop, guide, proxy)
    assert ada.is_signed_in
    assert ada.old_app.refresh().status_code == 200
    assert ada.old_app.access.startswith("v4.public.")
    assert ada.is_signed_in
    command = guide.take("rescind device list NAME").replace("NAME", ada.name)
    assert "Firefox" in shop.type(command)
    # As a table, it breaks an address where the column ends.
    assert ADDRESS in shop.type(f"{command} --json")
    assert len(shop.service.devices(ada.address)) == 3


def switch_off_the_old(shop: GuidedShop, ada: User) -> None:
    shop.run("step6")
    assert ada.is_signed_in
    assert ada.new_app.orders().status_code == 200


def go_back(shop: GuidedShop, guide: Guide, proxy: Proxy, ada: User) -> None:
    shop.run("step5")
    del proxy.routes["/api/token/"]
    shop.run("step4")
    assert ada.is_signed_in
    assert ada.old_app.refresh().status_code == 200
    shop.type(guide.take("OutstandingToken"))
    assert ada.old_app.refresh().status_code == 401
    for step in ("step3", "step2", "step1", "start"):
        shop.run(step)
        assert ada.browser.is_signed_in, step
    shop.type(guide.take("Session.objects.all().delete()"))
    assert not ada.browser.is_signed_in
