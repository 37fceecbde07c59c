"""allauth's own headless endpoints with Rescind's tokens, as an app uses them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from drf.app import App
from service import PASSWORD, Service, until

_names = itertools.count(1)


@pytest.fixture
def app(web: Any) -> App:
    web()
    return App()


@pytest.fixture
def ada(app: App) -> Any:
    number = 500_000 + next(_names)
    user = get_user_model()(pk=number, username=f"app-{number}-{id(app)}")
    user.set_password(PASSWORD)
    user.save(force_insert=True)
    return user


def login(app: App, user: Any, password: str = PASSWORD) -> Any:
    app.tokens = {}
    return app.send("POST", "auth/login", {"username": user.username, "password": password})


def test_a_sign_in_gives_the_services_tokens(app: App, ada: Any, shared_service: Service) -> None:
    answer = login(app, ada)
    assert answer.status_code == 200, answer.content
    meta = answer.json()["meta"]
    assert meta["access_token"].startswith("v4.public.")
    assert meta["refresh_token"].startswith("v4.local.")
    assert 0 < meta["expires_in"] <= 3600
    assert not meta.get("session_token")
    (device,) = shared_service.devices(f"external_id:{ada.pk}")
    # The tokens are of that device, everywhere.
    answer = app.send("GET", "auth/session")
    assert (answer.status_code, answer.json()["data"]["user"]["id"]) == (200, ada.pk)
    me = Client().get("/whoami", HTTP_AUTHORIZATION=f"Bearer {meta['access_token']}")
    assert me.json()["device"] == device["id"]
    assert me.json()["id"] == ada.pk


def test_a_sign_up_gives_them_too(app: App, shared_service: Service) -> None:
    name = f"signup-{next(_names)}-{id(app)}"
    answer = app.send(
        "POST", "auth/signup", {"username": name, "password": PASSWORD, "email": f"{name}@example.org"}
    )
    assert answer.status_code == 200, answer.content
    assert app.tokens["refresh_token"]
    user = get_user_model().objects.get(username=name)
    shared_service.admin("POST", f"users/external_id:{user.pk}/logout-all")


def test_a_wrong_password_opens_nothing(app: App, ada: Any) -> None:
    answer = login(app, ada, "wrong horse battery")
    assert answer.status_code == 400
    assert not app.tokens


def test_refresh_and_its_end(app: App, ada: Any, shared_service: Service) -> None:
    login(app, ada)
    old = dict(app.tokens)
    answer = app.send("POST", "tokens/refresh", {"refresh_token": old["refresh_token"]}, token="")
    assert answer.status_code == 200, answer.content
    new = answer.json()["data"]
    assert new["refresh_token"] != old["refresh_token"]
    assert app.send("GET", "auth/session", token=new["access_token"]).status_code == 200
    shared_service.admin("POST", f"users/external_id:{ada.pk}/logout-all")
    answer = app.send("POST", "tokens/refresh", {"refresh_token": new["refresh_token"]}, token="")
    assert answer.status_code == 400
    until(lambda: app.send("GET", "auth/session", token=new["access_token"]).status_code == 410, "gone")
    assert app.send("POST", "tokens/refresh", {"refresh_token": "garbage"}, token="").status_code == 400


def test_a_sign_out_ends_the_device(app: App, ada: Any, shared_service: Service) -> None:
    login(app, ada)
    tokens = dict(app.tokens)
    # Also after a refresh, of which the server keeps nothing.
    fresh = app.send("POST", "tokens/refresh", {"refresh_token": tokens["refresh_token"]}, token="").json()[
        "data"
    ]
    answer = app.send("DELETE", "auth/session", token=fresh["access_token"])
    assert answer.status_code == 401
    assert answer.json()["meta"]["is_authenticated"] is False
    assert shared_service.devices(f"external_id:{ada.pk}") == []
    assert app.send("GET", "auth/session", token=fresh["access_token"]).status_code == 410
    answer = app.send("POST", "tokens/refresh", {"refresh_token": fresh["refresh_token"]}, token="")
    assert answer.status_code == 400


def test_a_new_password_keeps_this_app_only(app: App, ada: Any, shared_service: Service) -> None:
    other = App()
    login(other, ada)
    login(app, ada)
    change = {"current_password": PASSWORD, "new_password": "correct horse battery 2"}
    answer = app.send("POST", "account/password/change", change)
    assert answer.status_code == 200, answer.content
    (device,) = shared_service.devices(f"external_id:{ada.pk}")
    until(lambda: other.send("GET", "auth/session").status_code == 410, "the other one is gone")
    # The access token of before is replaced by a refresh, and the session of before is found by the next one.
    fresh = app.send(
        "POST", "tokens/refresh", {"refresh_token": app.tokens["refresh_token"]}, token=""
    ).json()["data"]
    answer = app.send("GET", "auth/session", token=fresh["access_token"])
    assert (answer.status_code, answer.json()["data"]["user"]["id"]) == (200, ada.pk)
    me = Client().get("/whoami", HTTP_AUTHORIZATION=f"Bearer {fresh['access_token']}")
    assert me.json()["device"] == device["id"]


def test_a_session_key_is_no_credential_of_somebody_who_is_signed_in(app: App, ada: Any) -> None:
    from django.contrib.sessions.models import Session

    login(app, ada)
    browser = Client(HTTP_ACCEPT="text/html")
    browser.force_login(ada)
    for session in Session.objects.all():
        thief = App()
        thief.session_token = session.session_key
        assert thief.send("GET", "auth/session").status_code == 410


def test_while_the_service_is_away(web: Any, service: Service) -> None:
    web(service, MAX_STALENESS=1, WHEN_UNREACHABLE="accept")
    user = get_user_model()(username=f"away-{next(_names)}")
    user.set_password(PASSWORD)
    user.save()
    app = App()
    assert login(app, user).status_code == 200
    tokens = dict(app.tokens)
    service.kill()
    answer = until(
        lambda: (found := app.send("GET", "auth/session")).status_code != 200 and found,
        "freshness is not proven",
    )
    assert (answer.status_code, answer.json()["code"]) == (503, "stale")
    answer = app.send("POST", "tokens/refresh", {"refresh_token": tokens["refresh_token"]}, token="")
    assert answer.status_code == 503
    # Only the service has tokens, whatever becomes of cookies.
    assert login(App(), user).status_code == 503
