"""Django's sessions as devices of the real service: sign-ins, sign-outs, passwords, outages."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as site_settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.checks import run_checks
from django.db import transaction
from django.test import AsyncClient, Client, RequestFactory, override_settings

from drf.person import PAGE, Person
from rescind import Refused, Rejected, SessionEnded, Sessions
from rescind.django.devices import SignInRefused, Unreachable
from rescind.django.held import NAME
from rescind.django.methods import authentication_methods
from rescind.django.settings import rescind_settings
from service import PASSWORD, Service, until


@pytest.fixture
def ada(web: Any, shared_service: Service) -> Person:
    web()
    return Person(shared_service)


def device_of(client: Client) -> str:
    return str(client.get("/page").json()["device"])


def ended(client: Client, path: str = "/page", **headers: str) -> Any:
    """The first answer that is not that of a signed-in user."""
    return until(
        lambda: (found := client.get(path, **headers)).status_code != 200 and found, "the end is known"
    )


def signed_in(client: Client) -> bool:
    return bool(client.get("/page").status_code == 200)


def test_a_sign_in_is_a_device_and_a_sign_out_ends_it(ada: Person) -> None:
    client = ada.browser()
    device = device_of(client)
    (found,) = ada.devices()
    assert found["id"] == device
    assert (found["name"], found["address"], found["amr"]) == ("Firefox on Linux", "192.0.2.7", ["pwd"])
    other = ada.browser()
    assert device_of(other) != device
    client.post("/accounts/logout/")
    assert [one["id"] for one in ada.devices()] == [device_of(other)]
    assert not signed_in(client)
    assert signed_in(other)


def test_a_second_sign_in_in_one_browser_replaces_the_device(ada: Person, shared_service: Service) -> None:
    client = ada.browser()
    first = device_of(client)
    client.post("/accounts/login/", {"username": ada.user.username, "password": PASSWORD})
    (found,) = ada.devices()
    assert found["id"] == device_of(client) != first
    bea = Person(shared_service)
    client.post("/accounts/login/", {"username": bea.user.username, "password": PASSWORD})
    assert ada.devices() == []
    assert len(bea.devices()) == 1


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("POST logout-all", "signed_out_everywhere"),
        ("POST disable", "user_disabled"),
        ("DELETE devices/{device}", "signed_out"),
    ],
)
def test_what_ended_elsewhere_leads_to_the_sign_in_page(ada: Person, how: str, code: str) -> None:
    client = ada.browser()
    method, path = how.split()
    ada.service.admin(method, f"users/{ada.address}/{path.format(device=device_of(client))}")
    answer = ended(client, "/page?a=1")
    assert (answer.status_code, answer["Location"]) == (
        302,
        f"/accounts/login/?next=%2Fpage%3Fa%3D1&ended={code}",
    )
    assert Session.objects.count() == 0
    sentence = {
        "signed_out_everywhere": "all your devices",
        "user_disabled": "disabled",
        "signed_out": "this device",
    }
    assert sentence[code] in client.get(answer["Location"]).content.decode()
    # Said once.
    assert sentence[code] not in client.get("/accounts/login/").content.decode()
    if code != "user_disabled":
        client.post("/accounts/login/", {"username": ada.user.username, "password": PASSWORD})
        assert signed_in(client)


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_SEC_FETCH_MODE": "cors"},
        {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"},
        {"HTTP_ACCEPT": "application/json"},
    ],
)
@pytest.mark.parametrize("path", ["/page", "/session-api"])
def test_a_script_is_told_in_json(ada: Person, headers: dict[str, str], path: str) -> None:
    client = ada.browser()
    assert client.get(path, **headers).status_code == 200
    ada.end_everything()
    answer = ended(client, path, **headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "signed_out_everywhere")
    assert answer["WWW-Authenticate"]


def test_a_form_is_not_sent_again_after_the_sign_in(ada: Person) -> None:
    client = ada.browser()
    ada.end_everything()
    answer = until(lambda: (found := client.post("/page")).status_code != 200 and found, "the end is known")
    assert answer["Location"] == "/accounts/login/?ended=signed_out_everywhere"


def test_djangos_administration_has_a_sign_in_page_of_its_own(web: Any, shared_service: Service) -> None:
    web()
    root = Person(shared_service, is_staff=True, is_superuser=True)
    client = Client(**PAGE)
    client.post("/admin/login/?next=/admin/", {"username": root.user.username, "password": PASSWORD})
    assert client.get("/admin/").status_code == 200
    assert len(root.devices()) == 1
    root.end_everything()
    answer = ended(client, "/admin/")
    assert answer["Location"].startswith("/admin/login/?next=%2Fadmin%2F&ended=")
    client.get(answer["Location"])


def test_an_ended_session_does_not_disturb_a_sign_in_or_a_token(ada: Person, shared_service: Service) -> None:
    client, page, token = ada.browser(), ada.browser(), shared_service.register("beside")["access"]
    witness = ada.browser()
    ada.end_everything()
    assert ended(witness).status_code == 302
    # The token is judged, whose user has no account here.
    answer = client.get("/whoami", HTTP_AUTHORIZATION=f"Bearer {token}", HTTP_ACCEPT="application/json")
    assert (answer.status_code, answer.json()["code"]) == (401, "user_disabled")
    # A form of the sign-in page that was still open signs in.
    answer = page.post("/accounts/login/", {"username": ada.user.username, "password": PASSWORD})
    assert answer["Location"] == "/page"
    assert signed_in(page)


def test_nobody_else_is_touched(ada: Person) -> None:
    answer = Client(**PAGE).get("/public")
    assert answer.status_code == 200
    assert "Vary" not in answer
    assert not answer.cookies
    assert Session.objects.count() == 0
    client = Client(**PAGE)
    session = client.session
    session["basket"] = "full"
    session.save()
    client.cookies["sessionid"] = session.session_key
    assert client.get("/public").status_code == 200
    assert Client(**PAGE).get("/page")["Location"] == "/accounts/login/?next=/page"


# ---- tokens that have to be refreshed ---------------------------------------------------------------------------------


def superseded(ada: Person, client: Client) -> None:
    """Makes the session's access token one that has to be refreshed."""
    access = client.session[NAME]["access"]
    ada.service.post("auth/logout-others", access)
    verifier = rescind_settings().verifier
    until(lambda: refused(verifier, access), "the token is superseded")


def refused(verifier: Any, token: str) -> bool:
    try:
        verifier.verify(token)
    except Rejected as rejected:
        return rejected.code == "superseded"
    return False


def test_a_session_refreshes_and_keeps_what_it_got(ada: Person) -> None:
    client = ada.browser()
    before, device = dict(client.session[NAME]), device_of(client)
    superseded(ada, client)
    assert device_of(client) == device
    after = dict(client.session[NAME])
    assert after["access"] != before["access"]
    assert after["refresh"] != before["refresh"]
    for _ in range(3):
        assert device_of(client) == device
    assert dict(client.session[NAME]) == after


def test_parallel_requests_refresh_once(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    from rescind.django import devices
    from rescind.sessions import EndUser

    client = ada.browser()
    asked: list[Any] = []
    superseded(ada, client)
    refresh = Sessions.refresh

    def counted(self: Sessions, *args: Any) -> Any:
        asked.append(args)
        return refresh(self, *args)

    monkeypatch.setattr(Sessions, "refresh", counted)
    token, settings = client.session[NAME]["refresh"], rescind_settings()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: devices._refreshes.refresh(settings.sessions, token, EndUser()), range(24))
        )
    assert len(asked) == 1
    assert {answer.refresh for answer in answers} == {answers[0].refresh}
    # A request that was sent with the session of before finds the outcome.
    assert signed_in(client)
    assert len(asked) == 1


def test_a_refresh_of_a_session_that_was_signed_out_meanwhile_brings_nothing_back(ada: Person) -> None:
    from rescind.django import devices, sessions

    client = ada.browser()
    superseded(ada, client)
    refresh = devices.refresh_device

    def slow(*args: Any) -> Any:
        found = refresh(*args)
        Session.objects.all().delete()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "refresh_device", slow)
        answer = client.get("/page")
    assert answer["Location"].startswith("/accounts/login/?")
    assert ada.devices() == []
    assert not signed_in(client)


def test_a_refresh_does_not_undo_what_another_request_wrote(ada: Person) -> None:
    from site_under_test import urls

    client = ada.browser()
    superseded(ada, client)

    def meanwhile(request: Any) -> Any:
        other = type(request.session)(request.session.session_key)
        other["basket"] = "full"
        other.save()
        return page(request)

    page = urls.page
    pattern = next(found for found in urls.urlpatterns if found.callback is page)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pattern, "callback", meanwhile)
        assert signed_in(client)
    assert client.session["basket"] == "full"


# ---- passwords --------------------------------------------------------------------------------------------------------

NEW = "correct horse battery 2"


def change_password(client: Client) -> Any:
    return client.post(
        "/accounts/password_change/", {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    )


def test_a_new_password_ends_every_other_device(ada: Person) -> None:
    client, other = ada.browser(), ada.browser()
    device = device_of(client)
    phone = rescind_settings().sessions.open(ada.address)
    assert change_password(client).status_code == 302
    assert [found["id"] for found in ada.devices()] == [device]
    assert device_of(client) == device
    assert ended(other)["Location"].endswith("ended=signed_out_everywhere")
    with pytest.raises(SessionEnded) as refused:
        rescind_settings().sessions.refresh(phone.refresh)
    assert refused.value.code == "signed_out_everywhere"


def test_a_new_password_replaces_the_one_in_the_service(web: Any, shared_service: Service) -> None:
    web(SHARE_PASSWORDS=True, PASSWORD_HASHERS=["site_under_test.hashers.QuickHasher"])
    ada = Person(shared_service)
    client = ada.browser()
    name = ada.user.username
    shared_service.login(name)
    assert change_password(client).status_code == 302
    assert signed_in(client)
    assert len(ada.devices()) == 1
    with pytest.raises(AssertionError, match="wrong_credentials"):
        shared_service.login(name)
    shared_service.post("auth/login", username=name, password=NEW)


@pytest.mark.parametrize("how", ["another person", "unusable", "in a transaction"])
def test_a_password_set_by_somebody_else_ends_every_device(ada: Person, how: str) -> None:
    client = ada.browser()
    if how == "unusable":
        ada.user.set_unusable_password()
    else:
        ada.user.set_password(NEW)
    if how == "in a transaction":
        with transaction.atomic():
            ada.user.save()
    else:
        ada.user.save()
    assert ada.devices() == []
    assert ended(client).status_code == 302


def test_what_is_no_new_password_ends_nothing(ada: Person) -> None:
    client = ada.browser()
    ada.user.first_name = "Ada"
    ada.user.save()
    with override_settings(
        PASSWORD_HASHERS=[
            "django.contrib.auth.hashers.PBKDF2PasswordHasher",
            "django.contrib.auth.hashers.MD5PasswordHasher",
        ]
    ):
        # The same password, hashed anew by its check.
        assert get_user_model().objects.get(pk=ada.user.pk).check_password(PASSWORD)
    assert get_user_model().objects.get(pk=ada.user.pk).password.startswith("pbkdf2")
    assert len(ada.devices()) == 1
    del client


def test_a_password_that_cannot_end_devices_is_not_changed(web: Any, service: Service) -> None:
    web(service)
    ada = Person(service)
    client = ada.browser()
    assert signed_in(client)
    service.kill()
    ada.user.set_password(NEW)
    with pytest.raises(Unreachable):
        ada.user.save()
    assert get_user_model().objects.get(pk=ada.user.pk).check_password(PASSWORD)


def test_a_sign_in_with_the_password_of_before_is_refused(ada: Person) -> None:
    from django.contrib.auth import authenticate

    # The password was right when it was checked.
    user = authenticate(username=ada.user.username, password=PASSWORD)
    ada.user.set_password(NEW)
    ada.user.save()
    client = Client(**PAGE)
    with pytest.raises(SignInRefused, match="password_changed"):
        client.force_login(user)
    assert ada.devices() == []


def test_a_user_whom_the_service_has_disabled_is_not_signed_in(ada: Person) -> None:
    ada.browser()
    ada.service.admin("POST", f"users/{ada.address}/disable")
    client = Client(**PAGE)
    answer = client.post("/accounts/login/", {"username": ada.user.username, "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?ended=user_disabled")
    assert "_auth_user_id" not in client.session
    assert "This account is disabled." in client.get(answer["Location"]).content.decode()
    assert not signed_in(client)
    answer = client.post(
        "/accounts/login/",
        {"username": ada.user.username, "password": PASSWORD},
        HTTP_ACCEPT="application/json",
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "user_disabled")


# ---- outages ----------------------------------------------------------------------------------------------------------


def test_refuse_answers_503_while_the_service_is_away(web: Any, service: Service) -> None:
    web(service, MAX_STALENESS=1)
    ada = Person(service)
    client, script = ada.browser(), ada.browser(HTTP_ACCEPT="*/*")
    assert signed_in(client)
    service.kill()
    answer = ended(client)
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert (script.get("/page").status_code, script.get("/page").json()["code"]) == (503, "stale")
    assert Client(**PAGE).get("/public").status_code == 200
    new = Client(**PAGE)
    answer = new.post("/accounts/login/", {"username": ada.user.username, "password": PASSWORD})
    assert answer.status_code == 503
    assert new.get("/page").status_code == 302
    # A sign-out is one, whatever else is the case.
    script.post("/accounts/logout/")
    assert script.get("/page").status_code == 302
    service.start()
    until(lambda: signed_in(client), "the session goes on")


def test_accept_goes_on_unchecked_and_catches_up(web: Any, service: Service) -> None:
    web(service, MAX_STALENESS=1, WHEN_UNREACHABLE="accept", EXISTING_SESSIONS="end")
    ada = Person(service)
    client, gone = ada.browser(), ada.browser()
    assert signed_in(client)
    service.admin("DELETE", f"users/{ada.address}/devices/{device_of(gone)}")
    until(lambda: gone.get("/public").status_code == 302, "the end is known")
    service.kill()
    until(lambda: rescind_settings().verifier.doubt, "freshness is not proven")
    assert signed_in(client)
    new = ada.browser()
    assert new.get("/page").json()["device"] == ""
    service.start()
    # A sign-in of the outage becomes a device, although sessions without one end here.
    until(lambda: new.get("/page").json()["device"], "it has a device")
    assert signed_in(client)
    ada.end_everything()
    assert ended(client).status_code == 302
    assert ended(new).status_code == 302


def test_a_limit_that_one_user_has_reached_stops_nobody_else(web: Any, tmp_path: Path) -> None:
    service = Service(tmp_path, "sign_outs_of_others_per_user=1")
    try:
        web(service)
        ada, bea = Person(service), Person(service)
        client = ada.browser()
        superseded(ada, client)
        assert change_password(client).status_code == 503
        assert signed_in(bea.browser())
        assert signed_in(client)
    finally:
        service.close()


# ---- sessions of before the middleware --------------------------------------------------------------------------------


def old_session(ada: Person) -> Client:
    middleware = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    with override_settings(MIDDLEWARE=middleware):
        before = ada.browser()
    client = Client(**PAGE)
    client.cookies = before.cookies
    return client


@pytest.mark.parametrize("existing", ["adopt", "ignore", "end", None])
def test_what_becomes_of_sessions_of_before(web: Any, shared_service: Service, existing: str | None) -> None:
    web(EXISTING_SESSIONS=existing)
    ada = Person(shared_service)
    client = old_session(ada)
    answer = client.get("/page")
    match existing:
        case "adopt" | None:
            device = answer.json()["device"]
            assert [found["id"] for found in ada.devices()] == [device] == [device_of(client)]
            ada.end_everything()
            assert ended(client).status_code == 302
        case "ignore":
            assert answer.json() == {"id": ada.user.pk, "device": ""}
        case "end":
            assert answer["Location"].endswith("ended=signed_out")


def test_requests_that_adopt_a_session_at_once_make_one_device(ada: Person) -> None:
    from rescind.django import devices, sessions

    client = old_session(ada)
    opens = devices.open_device

    def overtaken(*args: Any) -> Any:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(sessions, "open_device", opens)
            assert signed_in(client)
        return opens(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "open_device", overtaken)
        device = device_of(client)
    assert [found["id"] for found in ada.devices()] == [device] == [device_of(client)]


def test_a_session_that_a_newer_version_has_written_keeps_its_device(ada: Person) -> None:
    client = ada.browser()
    device = device_of(client)
    session = client.session
    session[NAME] = {**session[NAME], "of_a_newer_version": 1}
    session.save()
    assert device_of(client) == device
    assert [found["id"] for found in ada.devices()] == [device]


# ---- where sessions are kept, and how requests arrive -------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["db", "cache", "cached_db", "file", "signed_cookies"])
def test_every_session_backend(web: Any, shared_service: Service, engine: str, tmp_path: Any) -> None:
    web(SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}", SESSION_FILE_PATH=str(tmp_path))
    ada = Person(shared_service)
    client = ada.browser()
    device = device_of(client)
    superseded(ada, client)
    assert device_of(client) == device
    copy = Client(**PAGE)
    copy.cookies["sessionid"] = client.cookies["sessionid"].value
    assert signed_in(copy)
    client.post("/accounts/logout/")
    assert ada.devices() == []
    # With signed cookies too: Django alone would take the copy for ever.
    assert ended(copy).status_code == 302
    other = ada.browser()
    assert signed_in(other)
    ada.end_everything()
    assert ended(other).status_code == 302


def test_asynchronous_servers(ada: Person) -> None:
    async def flow() -> None:
        client = AsyncClient(headers={"accept": "text/html"})
        answer = await client.post("/accounts/login/", {"username": ada.user.username, "password": PASSWORD})
        assert answer.status_code == 302
        device = (await client.get("/page")).json()["device"]
        assert device
        change = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
        await client.post("/accounts/password_change/", change)
        assert (await client.get("/page")).json()["device"] == device
        await client.post("/accounts/logout/")
        assert (await client.get("/page")).status_code == 302

    async_to_sync(flow)()
    assert ada.devices() == []


def test_the_test_client_signs_in_and_out(ada: Person) -> None:
    client = Client(**PAGE)
    client.force_login(ada.user)
    assert [found["id"] for found in ada.devices()] == [device_of(client)]
    client.logout()
    assert ada.devices() == []
    assert client.login(username=ada.user.username, password=PASSWORD)
    assert len(ada.devices()) == 1


def test_without_the_middleware_nothing_happens(tables: None, shared_service: Service) -> None:
    ada = Person(shared_service)
    try:
        with override_settings(RESCIND={}):
            client = Client(**PAGE)
            client.force_login(ada.user)
            ada.user.set_password(NEW)
            ada.user.save()
            client.logout()
    finally:
        ada.user.delete()


# ---- what is wrong says what to do --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scopes", "message"),
    [
        (["feed", "admin"], "--scope feed --scope sessions --scope admin"),
        (["feed", "sessions"], "--scope feed --scope sessions --scope admin"),
    ],
)
def test_a_service_key_that_may_not_says_which_may(
    web: Any, shared_service: Service, scopes: list[str], message: str, caplog: Any
) -> None:
    web(SERVICE_KEY=shared_service.service_key(*scopes))
    client = Client(**PAGE)
    ada = Person(shared_service)
    answer = client.post("/accounts/login/", {"username": ada.user.username, "password": PASSWORD})
    assert answer.status_code == 503
    assert message in caplog.text
    assert "rescind_sk" not in caplog.text


def test_a_wrong_url_says_so(web: Any, shared_service: Service, caplog: Any) -> None:
    web(URL=f"{shared_service.url}/elsewhere")
    ada = Person(shared_service)
    client = Client(**PAGE)
    answer = client.post("/accounts/login/", {"username": ada.user.username, "password": PASSWORD})
    assert answer.status_code == 503
    assert "is RESCIND['URL'] the address" in caplog.text


def test_a_wrong_audience_says_so(web: Any, shared_service: Service, caplog: Any) -> None:
    web(AUDIENCE="shop")
    ada = Person(shared_service)
    client = ada.browser()
    assert client.get("/page").status_code == 503
    assert "expect the audience 'rescind'" in caplog.text


def test_a_name_that_is_somebody_elses_is_not_taken_over(ada: Person, caplog: Any) -> None:
    ada.service.register(ada.user.username)
    answer = Client(**PAGE).post("/accounts/login/", {"username": ada.user.username, "password": PASSWORD})
    assert answer.status_code == 503
    assert re.search("username_taken.*must not take over", caplog.text)


def test_django_checks_what_the_middleware_needs(web: Any) -> None:
    def found() -> list[str]:
        return sorted(one.id for one in run_checks() if one.id.startswith("rescind"))

    web()
    assert found() == []
    web(WHEN_UNREACHABLE=None)
    assert found() == ["rescind.E006"]
    web(EXTERNAL_ID_FIELD="email")
    assert found() == ["rescind.E003"]
    web(MIDDLEWARE=list(reversed(site_settings.MIDDLEWARE)))
    assert found() == ["rescind.E004"]


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (Refused(405, "method_not_allowed", "…"), "older than this package; update it"),
        (
            Refused(400, "invalid_request", "…", [{"field": "client", "code": "unknown"}]),
            "older than this package (it does not know client); update it",
        ),
        (Refused(409, "external_id_taken", "…"), "rename the user in the service"),
        (Refused(404, "not_found", "…"), "the address of a Rescind service"),
    ],
)
def test_what_the_service_refuses_says_what_to_do(
    web: Any,
    shared_service: Service,
    monkeypatch: pytest.MonkeyPatch,
    caplog: Any,
    refused: Refused,
    message: str,
) -> None:
    web()
    ada = Person(shared_service)

    def refuse(*_: Any) -> Any:
        raise refused

    monkeypatch.setattr(Sessions, "open", lambda *_: refuse())
    monkeypatch.setattr(Sessions, "create_user", refuse)
    answer = Client(**PAGE).post("/accounts/login/", {"username": ada.user.username, "password": PASSWORD})
    assert answer.status_code == 503
    assert message in caplog.text


def test_a_client_that_nobody_can_have_keeps_nobody_out(ada: Person) -> None:
    for address in ["", "fe80::1%eth0", "::::", "unix"]:
        client = ada.browser(REMOTE_ADDR=address, HTTP_USER_AGENT="a\x7f\u2028" + "b" * 5000)
        assert signed_in(client)
        client.post("/accounts/logout/")


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([{"method": "password"}], ["pwd"]),
        ([{"method": "password"}, {"method": "mfa", "type": "totp"}], ["pwd", "otp", "mfa"]),
        ([{"method": "mfa", "type": "webauthn"}], ["hwk"]),
        ([{"method": "socialaccount", "provider": "x"}, {"method": ["x"]}, "x"], []),
    ],
)
def test_how_somebody_signed_in_is_named_as_allauth_knows_it(records: list[Any], expected: list[str]) -> None:
    request = RequestFactory().post("/", {"password": "x"})
    request.session = {"account_authentication_methods": records}
    assert authentication_methods(request, None) == expected


def test_a_password_is_named_and_nothing_is_guessed() -> None:
    user = get_user_model()()
    request = RequestFactory().post("/", {"password": "x"})
    request.session = {}
    assert authentication_methods(request, user) == []
    user.backend = "django.contrib.auth.backends.ModelBackend"
    assert authentication_methods(request, user) == ["pwd"]
    # As the test client signs in, or a single sign-on.
    assert authentication_methods(type("Empty", (), {"session": {}, "POST": {}})(), user) == []
