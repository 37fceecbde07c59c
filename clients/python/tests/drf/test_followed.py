"""Users who are deactivated, renamed or deleted in Django, with the real service."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import transaction

from drf.person import Person
from rescind import SessionEnded
from rescind.django import devices
from rescind.django.devices import Unreachable
from rescind.django.settings import rescind_settings
from rescind.sessions import Sessions
from service import PASSWORD, Service


@pytest.fixture
def ada(web: Any, shared_service: Service) -> Person:
    """Somebody with a desktop, an app and a password in the service, of a site that the service follows."""
    web(FOLLOW_USERS=True, SHARE_PASSWORDS=True, PASSWORD_HASHERS=["site_under_test.hashers.QuickHasher"])
    ada = Person(shared_service)
    ada.browser()
    ada.service.login(ada.user.username)
    return ada


def known(ada: Person) -> dict[str, Any]:
    return ada.service.admin("GET", f"users/{ada.address}")


def reason_of(refresh: str) -> str:
    with pytest.raises(SessionEnded) as ended:
        rescind_settings().sessions.refresh(refresh)
    return ended.value.code


@pytest.mark.parametrize("update_fields", [None, ["is_active"]])
def test_who_is_deactivated_is_signed_out_and_disabled_until_activated(
    ada: Person, update_fields: Any
) -> None:
    phone = rescind_settings().sessions.open(ada.address)
    ada.user.is_active = False
    ada.user.save(update_fields=update_fields)
    assert reason_of(phone.refresh) == "user_disabled"
    assert (known(ada)["disabled"], known(ada)["disabled_reason"]) == (True, "in Django")
    with pytest.raises(AssertionError, match="wrong_credentials"):
        ada.service.login(ada.user.username)
    ada.user.is_active = True
    ada.user.save(update_fields=update_fields)
    assert known(ada)["disabled"] is False
    # Nothing of before comes back.
    assert reason_of(phone.refresh) == "signed_out_everywhere"
    ada.service.login(ada.user.username)


@pytest.mark.parametrize("how", ["one", "many"])
def test_who_is_deleted_is_signed_out_and_deleted(ada: Person, how: str) -> None:
    phone = rescind_settings().sessions.open(ada.address)
    if how == "one":
        ada.user.delete()
    else:
        get_user_model().objects.filter(pk=ada.user.pk).delete()
    assert rescind_settings().sessions.user(ada.address) is None
    assert reason_of(phone.refresh) in ("signed_out_everywhere", "signed_out")


def test_who_is_renamed_has_the_new_name_and_stays_signed_in(ada: Person) -> None:
    phone = rescind_settings().sessions.open(ada.address)
    before, ada.user.username = ada.user.username, f"{ada.user.username}-new"
    ada.user.save()
    assert known(ada)["username"] == ada.user.username
    phone = rescind_settings().sessions.refresh(phone.refresh)
    ada.service.login(ada.user.username)
    with pytest.raises(AssertionError, match="wrong_credentials"):
        ada.service.login(before)
    assert ada.user.check_password(PASSWORD)


def test_a_name_that_is_somebody_elses_there_is_told(ada: Person, caplog: Any) -> None:
    name = f"taken-{ada.user.pk}"
    ada.service.register(name)
    ada.user.username = name
    ada.user.save()
    assert "has another name here, and Rescind could not be told" in caplog.text
    assert "another user of the service has the name" in caplog.text


def test_what_is_rolled_back_has_signed_out_and_nothing_more(ada: Person) -> None:
    class Back(Exception):
        pass

    def all_of_it() -> None:
        with transaction.atomic():
            ada.user.is_active, ada.user.username = False, "another"
            ada.user.save()
            ada.user.delete()
            raise Back

    name = ada.user.username
    with pytest.raises(Back):
        all_of_it()
    assert ada.devices() == []
    assert (known(ada)["disabled"], known(ada)["username"]) == (False, name)


def test_what_changes_nothing_that_is_followed_asks_nobody(web: Any, service: Service, caplog: Any) -> None:
    web(service, FOLLOW_USERS=True)
    ada = Person(service)
    ada.browser()
    service.kill()
    ada.user.first_name = "Ada"
    ada.user.save()
    ada.user.username += "-new"
    ada.user.save(update_fields=["first_name"])
    # Whoever was never signed in is unknown to the service, and is added without it.
    get_user_model().objects.create(username="new-here", is_active=False)
    assert "could not be told" not in caplog.text


def test_what_rescind_could_not_be_told_is_in_the_log_and_told_with_a_later_save(
    web: Any, service: Service, caplog: Any
) -> None:
    web(service, FOLLOW_USERS=True, WHEN_UNREACHABLE="accept")
    ada, bea = Person(service), Person(service)
    for person in (ada, bea):
        person.browser()
    service.kill()
    ada.user.is_active = False
    ada.user.username += "-new"
    ada.user.save()
    bea.user.delete()
    assert f"run `rescind user disable {ada.address}`" in caplog.text
    renamed = (
        f'PATCH /api/v1/admin/users/external_id%3A{ada.user.pk}` with `{{"username": "{ada.user.username}"}}`'
    )
    assert renamed in caplog.text
    assert f"run `rescind user delete {bea.address}`" in caplog.text

    service.start()
    devices._silent_until = 0.0
    assert known(ada)["disabled"] is False
    ada.user.save(update_fields=["first_name"])
    assert known(ada)["disabled"] is False
    ada.user.save()
    assert (known(ada)["disabled"], known(ada)["username"]) == (True, ada.user.username)

    service.kill()
    devices._silent_until = 0.0
    caplog.clear()
    ada.user.save()
    assert caplog.text == ""
    ada.user.is_active = True
    ada.user.save()
    assert f"run `rescind user enable {ada.address}`" in caplog.text
    service.start()
    # What the log says is what does it.
    service.command("user", "enable", ada.address)
    assert known(ada)["disabled"] is False


def test_a_user_of_another_database_is_compared_with_that_one(ada: Person) -> None:
    call_command("migrate", run_syncdb=True, verbosity=0, database="other")
    ada.user.save(using="other", force_insert=True)
    get_user_model().objects.filter(pk=ada.user.pk).update(is_active=False)
    ada.user.is_active = False
    ada.user.save(using="other")
    assert known(ada)["disabled"] is True
    get_user_model().objects.using("other").all().delete()


def test_what_is_stored_when_rescind_is_told_counts(ada: Person, monkeypatch: Any) -> None:
    people = get_user_model().objects.filter(pk=ada.user.pk)
    with transaction.atomic():
        ada.user.is_active = False
        ada.user.save()
        people.update(is_active=True)
    assert known(ada)["disabled"] is False

    # Another process activates the user while this one tells that the user is inactive.
    tell = Sessions.set_disabled

    def overtaken(sessions: Sessions, user: str, disabled: bool, reason: str | None = None) -> None:
        tell(sessions, user, disabled, reason)
        if disabled:
            people.update(is_active=True)
            tell(sessions, user, False, reason)
            tell(sessions, user, True, reason)

    monkeypatch.setattr(Sessions, "set_disabled", overtaken)
    ada.user.save()
    assert known(ada)["disabled"] is False


@pytest.mark.parametrize("how", ["deactivated", "deleted"])
def test_nobody_is_deactivated_or_deleted_whose_devices_cannot_be_ended(
    web: Any, service: Service, how: str
) -> None:
    web(service, FOLLOW_USERS=True)
    ada = Person(service)
    ada.browser()
    service.kill()
    ada.user.is_active = False
    with pytest.raises(Unreachable):
        ada.user.save() if how == "deactivated" else ada.user.delete()
    assert get_user_model().objects.filter(pk=ada.user.pk, is_active=True).exists()


def test_without_the_setting_the_service_is_not_told(web: Any, shared_service: Service) -> None:
    web()
    ada = Person(shared_service)
    ada.browser()
    ada.user.is_active, ada.user.username = False, f"{ada.user.username}-new"
    name = known(ada)["username"]
    ada.user.save()
    assert (known(ada)["disabled"], known(ada)["username"]) == (False, name)
    ada.user.delete()
    assert known(ada)["username"] == name
