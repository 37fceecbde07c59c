"""Django REST framework in this process against the real service."""

from __future__ import annotations

import os
from typing import Any

import django
import pytest
from django.contrib.auth import get_user_model
from django.core.checks import run_checks
from django.test import Client, override_settings
from drf_spectacular.generators import SchemaGenerator

from rescind import ConfigurationError, Sessions
from rescind.django.settings import RescindSettings, rescind_settings
from service import Service, until


def get(client: Any, token: str | None = None, path: str = "/whoami", **headers: str) -> Any:
    if token is not None:
        headers["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client.get(path, **headers)


def person(**fields: Any) -> Any:
    return get_user_model().objects.create(**fields)


def people() -> int:
    return int(get_user_model().objects.count())


def test_the_user_is_found_by_id(site: Any, shared_service: Service) -> None:
    session = shared_service.register("by-id")
    client, user = site(USER_ID_FIELD="rescind_id"), person(username="x", rescind_id=session["user"]["id"])
    answer = get(client, session["access"])
    assert answer.status_code == 200, answer.content
    assert (answer.json()["id"], answer.json()["device"]) == (user.pk, session["device"]["id"])


def test_the_user_is_found_by_username(site: Any, shared_service: Service) -> None:
    session = shared_service.register("by-name")
    client, user = site(USERNAME_FIELD="username"), person(username="by-name")
    for _ in range(2):
        assert get(client, session["access"]).json()["id"] == user.pk


@pytest.mark.parametrize("mode", ["feed", "introspection"])
@pytest.mark.parametrize("field", ["USER_ID_FIELD", "USERNAME_FIELD"])
def test_a_user_whom_nobody_knows_is_created_by_choice_only(
    site: Any, shared_service: Service, mode: str, field: str
) -> None:
    session = shared_service.register(f"new-{mode}-{field[:6]}".lower().replace("_", "-"))
    settings: dict[str, Any] = {"MODE": mode, field: "rescind_id" if field == "USER_ID_FIELD" else "username"}
    if mode == "introspection":
        settings["AUDIENCE"] = None
    answer = get(site(**settings), session["access"])
    assert (answer.status_code, answer.json()["code"]) == (401, "user_disabled")
    assert people() == 0
    client = site(**settings, CREATE_USERS=True)
    pk = get(client, session["access"]).json()["id"]
    assert get(client, session["access"]).json()["id"] == pk
    assert people() == 1
    user = get_user_model().objects.get()
    assert not user.has_usable_password()
    assert user.username == session["user"]["username" if field == "USERNAME_FIELD" else "id"]


def test_the_user_is_found_by_external_id(web: Any, shared_service: Service) -> None:
    web()
    user = person(username="by-external-id")
    pk = str(user.pk)
    shared_service.admin("POST", "users", username=f"external-{pk}", external_id=pk)
    sessions = rescind_settings().sessions
    token = sessions.open(f"external_id:{pk}").access
    answer = get(Client(), token)
    assert (answer.status_code, answer.json()["id"]) == (200, user.pk), answer.content
    # What the database would take for the same number is another user's id.
    shared_service.admin("POST", "users", username=f"external-0{pk}", external_id=f"0{pk}")
    answer = get(Client(), sessions.open(f"external_id:0{pk}").access)
    assert (answer.status_code, answer.json()["code"]) == (401, "user_disabled")
    # And a user of the service alone has none.
    answer = get(Client(), shared_service.register("without-external-id")["access"])
    assert (answer.status_code, answer.json()["code"]) == (401, "user_disabled")


def test_an_external_id_is_asked_for_once_a_minute(
    web: Any, shared_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    web()
    user = person(username="asked-once")
    shared_service.admin("POST", "users", username=f"asked-{user.pk}", external_id=str(user.pk))
    token = rescind_settings().sessions.open(f"external_id:{user.pk}").access
    asked: list[str] = []
    find = Sessions.user

    def counted(self: Sessions, name: str) -> Any:
        asked.append(name)
        return find(self, name)

    monkeypatch.setattr(Sessions, "user", counted)
    assert [get(Client(), token).status_code for _ in range(3)] == [200, 200, 200]
    assert len(asked) == 1


def test_a_name_that_is_taken_here_is_nobody_elses(site: Any, shared_service: Service) -> None:
    session = shared_service.register("taken")
    person(username=session["user"]["id"])
    answer = get(site(USER_ID_FIELD="rescind_id", CREATE_USERS=True), session["access"])
    assert (answer.status_code, answer.json()["code"]) == (401, "user_disabled")


def test_a_user_who_is_not_active_is_refused(site: Any, shared_service: Service) -> None:
    session = shared_service.register("inactive")
    client = site(USER_ID_FIELD="rescind_id")
    person(username="x", rescind_id=session["user"]["id"], is_active=False)
    answer = get(client, session["access"])
    assert (answer.status_code, answer.json()) == (
        401,
        {"detail": "the account is disabled", "code": "user_disabled"},
    )


@pytest.mark.parametrize("mode", ["feed", "introspection"])
def test_a_session_that_ended_is_401_with_its_code(site: Any, shared_service: Service, mode: str) -> None:
    session = shared_service.register(f"ended-{mode}")
    settings = {"USER_ID_FIELD": "rescind_id", "CREATE_USERS": True, "MODE": mode}
    client = site(**settings, **({"AUDIENCE": None} if mode == "introspection" else {}))
    assert get(client, session["access"]).status_code == 200
    shared_service.post("auth/logout-all", session["access"])
    answer = until(
        lambda: (found := get(client, session["access"])).status_code != 200 and found, "the end is known"
    )
    expected = {"feed": "signed_out_everywhere", "introspection": "superseded"}[mode]
    assert (answer.status_code, answer.json()["code"]) == (401, expected)
    assert answer["WWW-Authenticate"] == 'Bearer realm="rescind", error="invalid_token"'


def test_a_request_without_a_token_is_401_token_missing(site: Any) -> None:
    for headers in [{}, {"HTTP_AUTHORIZATION": "Basic YWJj"}, {"HTTP_AUTHORIZATION": ""}]:
        answer = get(site(USER_ID_FIELD="rescind_id"), **headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")
        assert answer["WWW-Authenticate"].startswith('Bearer realm="rescind"')


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer a,Bearer b",
        "bearer garbage",
        "Bearer v4.public.AAAA.AAAA",
        "Bearer é",
        "Bearer " + "x" * 100_000,
    ],
)
def test_garbage_is_401_token_invalid(site: Any, value: str) -> None:
    answer = get(site(USER_ID_FIELD="rescind_id"), HTTP_AUTHORIZATION=value)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert value.rsplit(" ", maxsplit=1)[-1] not in answer.content.decode() or value in ("Bearer", "Bearer ")


def test_freshness_that_is_not_proven_is_503(site: Any, service: Service) -> None:
    session = service.register("stale")
    client = site(
        URL=service.url,
        SERVICE_KEY=service.service_key("feed"),
        MAX_STALENESS=1,
        USER_ID_FIELD="rescind_id",
        CREATE_USERS=True,
    )
    assert get(client, session["access"]).status_code == 200
    service.kill()
    answer = until(lambda: (found := get(client, session["access"])).status_code != 200 and found, "refused")
    assert (answer.status_code, answer.json()["code"]) == (503, "stale")
    assert answer["Retry-After"] == "2"


def test_a_service_that_cannot_be_asked_is_503(site: Any, service: Service) -> None:
    session = service.register("down")
    key = service.service_key("introspect")
    service.kill()
    client = site(
        URL=service.url, SERVICE_KEY=key, AUDIENCE=None, MODE="introspection", USER_ID_FIELD="rescind_id"
    )
    answer = get(client, session["access"])
    assert (answer.status_code, answer.json()["code"]) == (503, "stale")


def test_a_password_given_lately_is_told_from_an_older_one(
    site: Any, shared_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from site_under_test.urls import Payment

    session = shared_service.register("payer")
    client = site(USER_ID_FIELD="rescind_id", CREATE_USERS=True)
    assert get(client, session["access"], "/payment").status_code == 200
    monkeypatch.setattr(Payment.permission_classes[0], "seconds", -100)
    answer = get(client, session["access"], "/payment")
    assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required")
    assert get(client, path="/payment").status_code == 401


def test_the_guards_headers_are_believed_from_the_proxy_only(site: Any) -> None:
    user_id, device = "019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20", "019aaa3c-52f4-7c55-8f0a-2f6d3c9b1e47"
    user = person(username="x", rescind_id=user_id)
    settings = {
        "URL": None,
        "AUDIENCE": None,
        "SERVICE_KEY": None,
        "MODE": "guard",
        "USER_ID_FIELD": "rescind_id",
    }
    client = site(**settings)
    headers = {"HTTP_X_AUTH_USER": user_id, "HTTP_X_AUTH_DEVICE": device, "HTTP_X_AUTH_GENERATION": "1"}
    answer = get(client, **headers)
    assert answer.json()["id"] == user.pk
    assert get(client, path="/payment", **headers).json()["code"] == "step_up_required"
    assert get(client).json()["code"] == "token_missing"
    answer = get(client, **headers, REMOTE_ADDR="192.0.2.1")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    client = site(**settings, TRUSTED_PROXIES=["192.0.2.0/24"])
    assert get(client, **headers, REMOTE_ADDR="192.0.2.1").status_code == 200


def test_the_schema_names_the_bearer_token(site: Any) -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    scheme = schema["components"]["securitySchemes"]["rescind"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == (
        "http",
        "bearer",
        "PASETO v4.public",
    )
    assert schema["paths"]["/whoami"]["get"]["security"] == [{"rescind": []}]


# ---- settings -------------------------------------------------------------------------------------------------------

GOOD = {
    "URL": "https://id.example",
    "AUDIENCE": "rescind",
    "SERVICE_KEY": "rescind_sk_x",
    "USER_ID_FIELD": "rescind_id",
}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"AUDIENCES": "x"}, "unknown setting 'AUDIENCES': is it 'AUDIENCE'"),
        ({"COLOUR": "x"}, "unknown setting 'COLOUR'; there are MODE"),
        ({"url": "x"}, "is it 'URL'"),
        ({"URL": None}, "'URL'. has to be str, not NoneType"),
        ({"MAX_ENTRIES": True}, "has to be int, not bool"),
        ({"MODE": "trust"}, "write one of feed, introspection, guard"),
        ({"URL": "id.example"}, "write http://HOST or https://HOST"),
        ({"SERVICE_KEY": "sesame"}, "no service key"),
        ({"SERVICE_KEY_FILE": "/nowhere"}, "one of SERVICE_KEY and SERVICE_KEY_FILE"),
        ({"USERNAME_FIELD": "username"}, "how the user of a token is found"),
        ({"MAX_STALENESS": 0}, "max_staleness is too short"),
        ({"WHEN_STALE": "accept"}, "when_stale"),
        ({"TRUSTED_PROXIES": []}, "MODE 'guard' only"),
        ({"MODE": "introspection"}, "'AUDIENCE'. is of use with MODE 'feed' only"),
        ({"MODE": "guard"}, "has no use with MODE 'guard'"),
    ],
)
def test_a_setting_that_is_wrong_says_what_to_write(changed: dict[str, Any], message: str) -> None:
    assert RescindSettings.read(GOOD)
    with pytest.raises(ConfigurationError, match=message) as refused:
        RescindSettings.read({**GOOD, **changed})
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"CREATE_USERS": True}, "no use with EXTERNAL_ID_FIELD"),
        ({"WHEN_UNREACHABLE": "open"}, "write one of refuse, accept"),
        ({"EXISTING_SESSIONS": "drop"}, "write one of adopt, ignore, end"),
        ({"MODE": "guard"}, "has no use with MODE 'guard'"),
    ],
)
def test_a_setting_of_sessions_that_is_wrong_says_what_to_write(
    changed: dict[str, Any], message: str
) -> None:
    good = {name: value for name, value in GOOD.items() if name != "USER_ID_FIELD"}
    good["EXTERNAL_ID_FIELD"] = "pk"
    assert RescindSettings.read({**good, "WHEN_UNREACHABLE": "refuse", "SHARE_PASSWORDS": True})
    with pytest.raises(ConfigurationError, match=message):
        RescindSettings.read({**good, **changed})


@pytest.mark.parametrize("name", ["URL", "AUDIENCE", "SERVICE_KEY", "USER_ID_FIELD"])
def test_a_setting_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        RescindSettings.read({key: value for key, value in GOOD.items() if key != name})
    with pytest.raises(ConfigurationError, match="RESCIND is missing"):
        RescindSettings.read(None)


def test_a_service_key_may_be_in_a_file(tmp_path: Any) -> None:
    file = tmp_path / "key"
    file.write_text("rescind_sk_x\n")
    settings = {
        **{key: value for key, value in GOOD.items() if key != "SERVICE_KEY"},
        "SERVICE_KEY_FILE": str(file),
    }
    assert RescindSettings.read(settings)
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="no text"):
        RescindSettings.read(settings)
    file.unlink()
    with pytest.raises(ConfigurationError, match="No such file"):
        RescindSettings.read(settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (GOOD, []),
        ({**GOOD, "USER_ID_FIELD": "rescind"}, ["rescind.E002"]),
        ({**GOOD, "USER_ID_FIELD": "nickname"}, ["rescind.E003"]),
        ({}, ["rescind.E001"]),
    ],
)
def test_django_checks_the_settings(settings: dict[str, Any], expected: list[str]) -> None:
    with override_settings(RESCIND=settings):
        assert [found.id for found in run_checks() if found.id.startswith("rescind")] == expected


def test_changed_settings_are_read_again() -> None:
    with override_settings(RESCIND=GOOD):
        first = rescind_settings()
        assert rescind_settings() is first
    with override_settings(RESCIND={**GOOD, "AUDIENCE": "shop"}):
        assert rescind_settings().values["AUDIENCE"] == "shop"


def test_the_django_under_test_is_the_one_that_was_asked_for(pytestconfig: pytest.Config) -> None:
    expected = os.environ.get("TEST_DJANGO")
    assert expected is None or django.get_version().startswith(expected)
