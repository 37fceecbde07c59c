"""The verifier and the introspector against the real service, which is stopped, killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rescind import (
    ConfigurationError,
    ConnectError,
    Doubt,
    Event,
    Introspector,
    IssuerError,
    NotFresh,
    Rejected,
    ServiceKey,
    TokenEnded,
    TokenInvalid,
    Verifier,
    background,
)
from rescind import verifier as verifier_module
from rescind.introspection import _read
from service import PASSWORD, Service, until


def verifier_of(service: Service, **options: object) -> Verifier:
    options = {"audience": "rescind", "service_key": service.service_key("feed", "introspect"), **options}
    return Verifier(service.url, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def shared_verifier(shared_service: Service) -> Iterator[Verifier]:
    with verifier_of(shared_service) as verifier:
        yield verifier


def code(verifier: Verifier | Introspector, token: str) -> str:
    try:
        verifier.verify(token)
    except Rejected as rejected:
        return rejected.code
    return "ok"


def test_a_token_is_accepted_until_its_device_signs_out(
    shared_service: Service, shared_verifier: Verifier
) -> None:
    session = shared_service.register("ada")
    claims = shared_verifier.verify(session["access"])
    assert (claims.user, claims.device) == (session["user"]["id"], session["device"]["id"])
    assert (claims.issuer, claims.audience, claims.generation) == (shared_service.url, "rescind", 1)
    shared_service.post("auth/logout", refresh=session["refresh"])
    until(lambda: code(shared_verifier, session["access"]) == "signed_out", "the sign-out is in force")


def test_every_way_to_end_a_token_has_its_code(shared_service: Service, shared_verifier: Verifier) -> None:
    everywhere = shared_service.register("bea")["access"]
    shared_service.post("auth/logout-all", everywhere)
    until(lambda: code(shared_verifier, everywhere) == "signed_out_everywhere", "logout-all")

    here, there = shared_service.register("cleo"), shared_service.login("cleo")["access"]
    newer = shared_service.post("auth/logout-others", here["access"])["access"]
    until(lambda: code(shared_verifier, there) == "signed_out_everywhere", "logout-others, there")
    assert code(shared_verifier, here["access"]) == "superseded"
    assert code(shared_verifier, newer) == "ok"

    before = shared_service.register("dora")["access"]
    changed = shared_service.post(
        "auth/password", before, current_password=PASSWORD, new_password="another long password"
    )
    until(lambda: code(shared_verifier, before) == "password_changed", "a new password")
    assert code(shared_verifier, changed["session"]["access"]) == "ok"

    disabled = shared_service.register("ed")["access"]
    shared_service.command("user", "disable", "ed")
    until(lambda: code(shared_verifier, disabled) == "user_disabled", "disabled")
    shared_service.command("user", "enable", "ed")
    enabled = shared_service.login("ed")["access"]
    assert code(shared_verifier, enabled) == "ok"
    until(lambda: code(shared_verifier, disabled) == "signed_out_everywhere", "disabled, then enabled")
    assert code(shared_verifier, enabled) == "ok"


def test_signing_in_again_works_at_once(shared_service: Service, shared_verifier: Verifier) -> None:
    session = shared_service.register("flora")
    for _ in range(3):
        shared_service.post("auth/logout-all", session["access"])
        session = shared_service.login("flora")
        assert code(shared_verifier, session["access"]) == "ok"


@pytest.mark.parametrize(
    "text",
    ["", "garbage", "v4.public..", "v4.public.AAAA.AAAA", "x" * 10_000_000, "é", "\0", "v4.local.AAAA.AAAA"],
)
def test_garbage_is_invalid(shared_service: Service, shared_verifier: Verifier, text: str) -> None:
    assert code(shared_verifier, text) == "token_invalid"
    introspector = Introspector(shared_service.url, service_key=shared_service.service_key("introspect"))
    # What has the form of a token is asked about; of an inactive one nothing is said.
    expected = "superseded" if text.startswith("v4.public.") else "token_invalid"
    assert code(introspector, text) == expected


def test_a_refresh_token_is_no_access_token(shared_service: Service, shared_verifier: Verifier) -> None:
    refresh = shared_service.register("gus")["refresh"]
    assert code(shared_verifier, refresh) == "token_invalid"
    introspector = Introspector(shared_service.url, service_key=shared_service.service_key("introspect"))
    assert code(introspector, refresh) == "token_invalid"


def test_a_token_of_another_service_is_refused(
    shared_service: Service, shared_verifier: Verifier, service: Service
) -> None:
    token = service.register("hal")["access"]
    assert code(shared_verifier, token) == "token_invalid"
    introspector = Introspector(shared_service.url, service_key=shared_service.service_key("introspect"))
    # Of an inactive token nothing is said: a refresh tells more.
    assert code(introspector, token) == "superseded"


def test_what_cannot_be_a_token_is_not_asked_about(service: Service) -> None:
    introspector = Introspector(service.url, service_key=service.service_key("introspect"))
    refresh = service.register("ivo")["refresh"]
    service.kill()
    for text in ["garbage", refresh, "v4.public." + "A" * 5000 + ".A"]:
        assert code(introspector, text) == "token_invalid"
    assert code(introspector, "v4.public.AAAA.AAAA") == "stale"


def test_an_active_token_of_another_type_is_no_access_token() -> None:
    with pytest.raises(TokenInvalid):
        _read({"active": True, "token_type": "refresh_token", "sub": "x"})
    with pytest.raises(NotFresh):
        _read({"active": True, "token_type": "Bearer", "sub": "x"})


def test_introspection_knows_the_user_and_every_sign_out_at_once(shared_service: Service) -> None:
    introspector = Introspector(shared_service.url, service_key=shared_service.service_key("introspect"))
    session = shared_service.register("ida")
    introspected = introspector.introspect(session["access"])
    assert introspected.username == "ida"
    assert introspected.claims.device == session["device"]["id"]
    shared_service.post("auth/logout", refresh=session["refresh"])
    assert code(introspector, session["access"]) == "superseded"
    with pytest.raises(TokenEnded):
        asyncio.run(introspector.averify(session["access"]))


def test_asynchronous_code_never_waits_on_its_event_loop(shared_service: Service) -> None:
    token = shared_service.register("jo")["access"]
    with verifier_of(shared_service) as verifier:

        async def check() -> str:
            # The first use of the synchronous way refuses rather than block the loop.
            with pytest.raises(NotFresh):
                verifier.verify(token)
            assert (await verifier.averify(token)).user == verifier.verify(token).user
            with pytest.raises(TokenInvalid):
                await verifier.averify("garbage")
            return "ok"

        assert asyncio.run(check()) == "ok"


def test_keys_are_rotated_without_a_refusal_and_distrusted_at_once(service: Service) -> None:
    with verifier_of(service) as verifier:
        session = service.register("kim")
        assert code(verifier, session["access"]) == "ok"
        service.command("key", "rotate")
        newer = service.login("kim")["access"]
        until(lambda: code(verifier, newer) == "ok", "the new key is known")
        assert code(verifier, session["access"]) == "ok"


def test_a_killed_service_is_refused_after_max_staleness_and_followed_again(service: Service) -> None:
    events: list[Event] = []
    with verifier_of(service, max_staleness=1.5, on_event=events.append) as verifier:
        session, ended = service.register("lea"), service.register("max")
        assert code(verifier, session["access"]) == "ok"
        service.kill()
        until(lambda: code(verifier, session["access"]) == "stale", "refused while it is down")
        assert verifier.doubt is Doubt.LATE
        service.start()
        until(lambda: code(verifier, session["access"]) == "ok", "accepted again")
        service.post("auth/logout-all", ended["access"])
        until(lambda: code(verifier, ended["access"]) == "signed_out_everywhere", "the feed is read again")
        names = [event.name for event in events]
        assert "disconnected" in names
        assert names.count("fresh") >= 2


def test_a_service_that_stands_still_is_refused_and_what_ended_stays_ended(service: Service) -> None:
    with verifier_of(service, max_staleness=1) as verifier:
        session, ended = service.register("nora"), service.register("otto")
        service.post("auth/logout-all", ended["access"])
        until(lambda: code(verifier, ended["access"]) == "signed_out_everywhere", "in force")
        service.send(signal.SIGSTOP)
        until(lambda: code(verifier, session["access"]) == "stale", "refused while it stands still")
        assert code(verifier, ended["access"]) == "signed_out_everywhere"
        assert code(verifier, "garbage") == "stale"
        service.send(signal.SIGCONT)
        until(lambda: code(verifier, session["access"]) == "ok", "accepted again")


def test_a_restored_store_ends_everything_of_before(service: Service) -> None:
    with verifier_of(service, max_staleness=2) as verifier:
        session = service.register("pia")
        assert code(verifier, session["access"]) == "ok"
        service.kill()
        service.command("store", "restored", "--yes", "--keep-service-keys")
        service.start()
        newer = service.login("pia")["access"]
        until(lambda: code(verifier, newer) == "ok", "the new store is followed")
        assert code(verifier, session["access"]) in ("reset", "token_invalid")


def test_past_max_staleness_the_issuer_is_asked_if_so_set(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with verifier_of(service, max_staleness=1, when_stale="introspect") as verifier:
        session, other = service.register("quin"), service.register("quinn")
        verifier.connect()
        following = verifier._following
        assert following is not None

        async def lost(*_: object) -> str:
            raise IssuerError("lost", may_pass=True)

        # Only the feed is lost.
        monkeypatch.setattr(following.link, "ping", lost)
        until(lambda: verifier.doubt is Doubt.LATE, "the last proof is old")
        assert code(verifier, session["access"]) == "ok"
        service.post("auth/logout-all", session["access"])
        # Before the feed tells the reason, the answer that has none.
        assert code(verifier, session["access"]) in ("superseded", "signed_out_everywhere")
        assert code(verifier, "garbage") == "stale"
        service.kill()
        assert code(verifier, other["access"]) == "stale"


def test_a_service_that_is_not_there_yet_is_followed_once_it_is(service: Service) -> None:
    key, session = service.service_key("feed"), service.register("rae")
    service.kill()
    with verifier_of(service, service_key=key, timeout=0.2) as verifier:
        assert code(verifier, session["access"]) == "stale"
        with pytest.raises(ConnectError) as failed:
            verifier.connect()
        assert failed.value.may_pass
        service.start()
        until(lambda: code(verifier, session["access"]) == "ok", "it is found")
        verifier.connect()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "paserk with status 400: update it if it is older than this package"),
        (404, "no /.well-known/paserk at this address: .* not older than this package"),
        (405, "paserk with status 405: update it if it is older than this package"),
    ],
)
def test_an_issuer_that_lacks_what_is_asked_of_it_is_said_to_be_older(status: int, message: str) -> None:
    class Older(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Older) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        verifier = Verifier(url, audience="rescind", service_key="rescind_sk_older")
        with verifier, pytest.raises(ConnectError, match=message):
            verifier.connect()
        server.shutdown()


def test_what_is_configured_wrong_says_what_to_do(shared_service: Service) -> None:
    key = shared_service.service_key("introspect")
    cases = [
        ({"service_key": "rescind_sk_wrong"}, "make one with `rescind service-key add NAME --scope feed`"),
        ({"service_key": key}, "lacks the scope `feed`"),
        ({"issuer": "https://other.example"}, "set `issuer`"),
    ]
    for options, message in cases:
        with verifier_of(shared_service, **options) as verifier:
            with pytest.raises(ConnectError, match=message) as failed:
                verifier.connect()
            assert not failed.value.may_pass
            assert code(verifier, "garbage") == "stale"
    introspector = Introspector(shared_service.url, service_key=shared_service.service_key("feed"))
    assert code(introspector, shared_service.register("sam")["access"]) == "stale"


def test_an_audience_that_the_issuer_does_not_have_accepts_nothing(shared_service: Service) -> None:
    events: list[Event] = []
    token = shared_service.register("tom")["access"]
    with verifier_of(shared_service, audience="shop", on_event=events.append) as verifier:
        verifier.connect()
        assert code(verifier, token) in ("token_invalid", "stale")
        assert [event.name for event in events if "audience" in event.name] == ["other_audience"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"audience": ""}, "audience"),
        ({"service_key": "secret"}, "no service key"),
        ({"service_key": "rescind_sk_é"}, "no service key"),
        ({"max_staleness": 0.5}, "max_staleness"),
        ({"when_stale": "accept"}, "when_stale"),
        ({"max_entries": 0}, "max_entries"),
        ({"url": "id.example"}, "no address"),
        ({"url": "ftp://id.example"}, "no address"),
        ({"url": "https://"}, "no address"),
        ({"url": "https://user:password@id.example"}, "no address"),
    ],
)
def test_a_setting_that_cannot_be_right_is_refused_when_the_verifier_is_made(
    options: dict[str, str], message: str
) -> None:
    given = {"url": "https://id.example", "audience": "rescind", "service_key": "rescind_sk_x", **options}
    with pytest.raises(ConfigurationError, match=message) as refused:
        Verifier(given.pop("url"), **given)  # type: ignore[arg-type]
    assert "secret" not in str(refused.value)


def test_nothing_shows_a_service_key(caplog: pytest.LogCaptureFixture, shared_service: Service) -> None:
    caplog.set_level(logging.DEBUG)
    key = ServiceKey("rescind_sk_sesame")
    with verifier_of(shared_service, service_key=key) as verifier:
        with pytest.raises(ConnectError) as failed:
            verifier.connect()
        texts = [
            repr(key),
            str(key),
            repr(verifier),
            repr(failed.value),
            caplog.text,
            repr(vars(key.__class__)),
        ]
    assert "sesame" not in "".join(texts)


def test_a_closed_verifier_accepts_nothing(shared_service: Service) -> None:
    token = shared_service.register("uma")["access"]
    verifier = verifier_of(shared_service)
    assert code(verifier, token) == "ok"
    verifier.close()
    assert code(verifier, token) == "stale"
    unused = verifier_of(shared_service)
    unused.close()
    assert code(unused, token) == "stale"


def test_plain_http_to_another_machine_is_reported() -> None:
    events: list[Event] = []
    options = {
        "audience": "rescind",
        "service_key": "rescind_sk_x",
        "timeout": 0.1,
        "on_event": events.append,
    }
    with Verifier("http://rescind.invalid", **options) as verifier:  # type: ignore[arg-type]
        assert code(verifier, "garbage") == "stale"
        until(lambda: events, "an event")
    assert events[0].name == "unencrypted"


def sockets() -> set[str]:
    """The sockets that this process has open, as the system names them."""
    names: set[str] = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            names.add(os.readlink(f"/proc/self/fd/{number}"))
    return {name for name in names if name.startswith("socket:")}


def test_a_forked_child_keeps_no_connection_of_its_parent(service: Service) -> None:
    before = sockets()
    introspector = Introspector(service.url, service_key=service.service_key("introspect"))
    with verifier_of(service) as verifier:
        token = service.register("wes")["access"]
        assert code(verifier, token) == code(introspector, token) == "ok"
        inherited = sockets() - before
        # The stream, the pings, the questions, and what wakes the thread.
        assert len(inherited) >= 4
        child = os.fork()
        if child == 0:
            kept = sockets() & inherited
            os._exit(len(kept))
        # The connection of the test itself, and one end of what wakes the thread.
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) <= 2
        assert code(verifier, token) == code(introspector, token) == "ok"


def work_as_child(verifier: Verifier, token: str, events: list[Event], started: int) -> None:
    """What a forked worker does: it follows for itself, until the token ends."""
    assert code(verifier, token) == "ok"
    # Whatever becomes of what it inherited must reach neither its parent's connections nor its own.
    events.clear()
    background._inherited.clear()
    verifier_module._inherited.clear()
    gc.collect()
    before = verifier.lag or 0
    until(lambda: (verifier.lag or 0) < before, "the child's pings go on")
    assert "disconnected" not in [event.name for event in events]
    os.write(started, b".")
    until(lambda: code(verifier, token) == "signed_out_everywhere", "in the child")


def test_a_forked_child_follows_for_itself_and_leaves_its_parent_alone(service: Service) -> None:
    events: list[Event] = []
    with verifier_of(service, on_event=events.append) as verifier:
        session = service.register("val")
        assert code(verifier, session["access"]) == "ok"
        children = []
        started, start = os.pipe()
        for _ in range(2):
            child = os.fork()
            if child == 0:
                # As a worker would: its own thread, its own stream, its own end.
                done = 1
                try:
                    work_as_child(verifier, session["access"], events, start)
                    done = 0
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(done)
            children.append(child)
        for _ in children:
            assert os.read(started, 1) == b"."
        os.close(started)
        os.close(start)
        assert code(verifier, session["access"]) == "ok"
        service.post("auth/logout-all", session["access"])
        until(lambda: code(verifier, session["access"]) == "signed_out_everywhere", "in the parent")
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        later = service.login("val")["access"]
        lag = verifier.lag
        until(lambda: (verifier.lag or 0) < (lag or 0), "the parent's pings go on")
        assert code(verifier, later) == "ok"
        assert "disconnected" not in [event.name for event in events]
