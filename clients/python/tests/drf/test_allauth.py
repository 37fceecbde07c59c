"""allauth's pages, and its ways to sign in beside a password: the sessions are devices whichever is taken."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from drf.app import App
from drf.person import PAGE, Person
from service import PASSWORD, Service, until

NEW = "correct horse battery 2"
_names = itertools.count(1)


@pytest.fixture
def ada(web: Any, shared_service: Service) -> Person:
    web()
    return Person(shared_service, email=f"ada-{next(_names)}@example.org")


def browser(ada: Person) -> Client:
    """A browser that signs in on allauth's page."""
    client = Client(**PAGE)
    assert client.get("/allauth/login/").status_code == 200
    answer = client.post("/allauth/login/", {"login": ada.user.username, "password": PASSWORD})
    assert answer["Location"] == "/page"
    return client


def device_of(client: Client) -> str:
    return str(client.get("/page").json()["device"])


def mailed_code() -> str:
    """The code in the newest mail."""
    found = re.search(r"^[A-Z0-9-]{6,}$", mail.outbox[-1].body, re.MULTILINE)
    assert found is not None, mail.outbox[-1].body
    return found.group()


def test_a_sign_in_on_allauths_page_is_a_device_and_its_sign_out_ends_it(ada: Person) -> None:
    client, other = browser(ada), browser(ada)
    devices = {found["id"]: (found["name"], found["amr"]) for found in ada.devices()}
    assert devices == {device_of(one): ("Firefox on Linux", ["pwd"]) for one in (client, other)}
    assert client.get("/allauth/logout/").status_code == 200
    assert client.post("/allauth/logout/")["Location"] == "/"
    assert [found["id"] for found in ada.devices()] == [device_of(other)]
    assert client.get("/page")["Location"] == "/accounts/login/?next=/page"


def test_a_new_password_on_allauths_page_ends_the_other_devices(ada: Person) -> None:
    client, other = browser(ada), browser(ada)
    device = device_of(client)
    fields = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert client.post("/allauth/password/change/", fields).status_code == 302
    assert [found["id"] for found in ada.devices()] == [device] == [device_of(client)]
    answer = until(lambda: (found := other.get("/page")).status_code != 200 and found, "the end is known")
    assert answer["Location"].endswith("ended=signed_out_everywhere")


def test_a_mailed_code_on_allauths_page_opens_a_device(ada: Person) -> None:
    client = Client(**PAGE)
    answer = client.post("/allauth/login/code/", {"email": ada.user.email})
    assert client.get(answer["Location"]).status_code == 200
    assert client.get("/page").status_code == 302
    assert client.post(answer["Location"], {"code": mailed_code()})["Location"] == "/page"
    (found,) = ada.devices()
    assert (found["id"], found["amr"]) == (device_of(client), ["otp"])


def test_a_mailed_code_gives_an_app_the_services_tokens(ada: Person) -> None:
    app = App()
    answer = app.send("POST", "auth/code/request", {"email": ada.user.email})
    assert (answer.status_code, app.tokens) == (401, {})
    assert app.session_token
    assert app.send("POST", "auth/code/confirm", {"code": "WRONG1"}).status_code == 400
    assert app.tokens == {}
    assert app.send("POST", "auth/code/confirm", {"code": mailed_code()}).status_code == 200
    assert app.send("GET", "auth/session").json()["data"]["user"]["id"] == ada.user.pk
    (found,) = ada.devices()
    assert found["amr"] == ["otp"]
    ends_with_its_device(app, ada)


def test_an_app_gets_the_services_tokens_after_the_second_factor_only(ada: Person) -> None:
    from allauth.mfa.totp.internal import auth as totp

    secret = totp.generate_totp_secret()
    totp.TOTP.activate(ada.user, secret)
    past, now, future = (
        totp.format_hotp_value(totp.hotp_value(secret, counter))
        for counter in totp.yield_hotp_counters_from_time()
    )
    app = App()
    answer = app.send("POST", "auth/login", {"username": ada.user.username, "password": PASSWORD})
    pending = [flow["id"] for flow in answer.json()["data"]["flows"] if flow.get("is_pending")]
    assert (answer.status_code, pending, app.tokens) == (401, ["mfa_authenticate"], {})
    wrong = next(code for code in ("000000", "000001", "000002", "000003") if code not in (past, now, future))
    assert app.send("POST", "auth/2fa/authenticate", {"code": wrong}).status_code == 400
    assert app.tokens == {}
    assert app.send("POST", "auth/2fa/authenticate", {"code": now}).status_code == 200
    assert app.send("GET", "auth/session").json()["data"]["user"]["id"] == ada.user.pk
    (found,) = ada.devices()
    assert found["amr"] == ["pwd", "otp", "mfa"]
    ends_with_its_device(app, ada)


def ends_with_its_device(app: App, ada: Person) -> None:
    """Ends every device of the user, and expects the app's session to end with it."""
    ada.end_everything()
    until(lambda: app.send("GET", "auth/session").status_code == 410, "the app is signed out")
    answer = app.send("POST", "tokens/refresh", {"refresh_token": app.tokens["refresh_token"]}, token="")
    assert answer.status_code == 400
