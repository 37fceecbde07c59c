"""The same issuer, log and tokens for `rescind guard`, which is the verifier in Rust, and for the one here: equal codes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from issuer import AUDIENCE, NAME, Issuer, IssuerServer, SigningKey, new_id, rfc3339
from rescind import Rejected, Verifier
from service import PASSWORD, Guard, Service, until

KEY = "rescind_sk_any"


def code(verifier: Verifier, token: str) -> str:
    try:
        verifier.verify(token)
    except Rejected as rejected:
        return rejected.code
    return "ok"


class Both:
    """The two followers of one issuer that signs anything."""

    def __init__(self, folder: Path) -> None:
        self.issuer = Issuer(time.time())
        former = SigningKey()
        self.retired = former
        self.issuer.states[former] = ("retired", rfc3339(time.time() + 3600))
        self.issuer.names.append({"issuer": "https://former.example", "audience": "shop"})
        self.server = IssuerServer(self.issuer)
        self.verifier = Verifier(self.server.url, issuer=NAME, audience=AUDIENCE, service_key=KEY)
        self.guard = Guard(folder, self.server.url, KEY, issuer=NAME)
        self.verifier.connect()

    def end(self, entries: list[dict[str, Any]]) -> None:
        """Adds entries, and one more whose effect shows that all are applied."""
        user, device = new_id(), new_id()
        self.server.end([*entries, {"type": "device_ended", "user": user, "device": device}])
        token = self.issuer.token(sub=user, sid=device)
        until(lambda: code(self.verifier, token) == "signed_out", "applied here")
        until(lambda: self.guard.code(token) == "signed_out", "applied by the guard")

    def close(self) -> None:
        self.verifier.close()
        self.guard.close()
        self.server.close()


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    both = Both(tmp_path)
    yield both
    both.close()


def any_entry(chance: random.Random, users: list[str], devices: list[str]) -> dict[str, Any]:
    user, device = chance.choice(users), chance.choice(devices)
    if chance.random() < 0.2:
        return {"type": "device_ended", "user": user, "device": device}
    entry: dict[str, Any] = {"type": "generation", "user": user, "generation": chance.randrange(1, 6)}
    if chance.random() < 0.7:
        entry["kept"] = device
    if chance.random() < 0.5:
        entry["cause"] = chance.choice(["password_changed", "disabled", "something_later"])
    return entry


def any_token(chance: random.Random, both: Both, users: list[str], devices: list[str]) -> str:
    now = int(time.time())
    other_names = chance.random() < 0.2
    # Of other names it matters whether the last proof, which each has at moments of its own, is before or after.
    issued = now + chance.choice([-3000, -900, -60, 30, 120] + [0] * (not other_names))
    claims = both.issuer.claims(
        sub=chance.choice(users),
        sid=chance.choice(devices),
        gen=chance.randrange(1, 7),
        era=both.issuer.era + chance.choice([-1, 0, 0, 0, 0, 1]),
        iat=rfc3339(issued),
        # Whole minutes away from now: the two do not look at the same moment.
        exp=rfc3339(issued + chance.choice([0, 600, 1800, 3600, 3601])),
    )
    if other_names:
        claims["iss"], claims["aud"] = chance.choice(
            [
                ("https://former.example", "shop"),
                (NAME, "shop"),
                ("https://other.example", AUDIENCE),
                ("https://former.example", AUDIENCE),
            ]
        )
    if chance.random() < 0.1:
        claims[chance.choice(list(claims))] = chance.choice([None, "", -1, 1.5, 2**64, True, "x", []])
    if chance.random() < 0.05:
        del claims[chance.choice(list(claims))]
    if chance.random() < 0.1:
        claims["pad"] = "é" * chance.choice([1, 300, 2000])
    key = chance.choice([both.issuer.key] * 8 + [both.retired, SigningKey()])
    text = json.dumps(claims)
    if chance.random() < 0.05:
        text = text.replace("{", '{"gen":1,', 1)
    signed: str = key.sign(text, chance.choice([b""] * 9 + [b"rescind/feed/v1"]))
    return signed


def altered(chance: random.Random, token: str) -> str:
    """The token with a few characters changed, removed or added."""
    letters = list(token)
    for _ in range(chance.randrange(1, 3)):
        at = chance.randrange(len(letters))
        match chance.randrange(3):
            case 0:
                letters[at] = chance.choice("ABab01-_.=+/")
            case 1:
                letters.insert(at, chance.choice("ABab01-_.=+/"))
            case _:
                del letters[at]
    return "".join(letters)


def test_random_logs_and_tokens_get_equal_codes(both: Both) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    users, devices = [new_id() for _ in range(3)], [new_id() for _ in range(4)]
    seen: dict[str, int] = {}
    # Above every generation of chance, so that these two hold whatever comes.
    bumps = [
        {
            "type": "generation",
            "user": users[0],
            "generation": 6,
            "kept": devices[0],
            "cause": "password_changed",
        },
        {"type": "generation", "user": users[1], "generation": 6, "kept": devices[1]},
        {"type": "generation", "user": users[2], "generation": 6, "cause": "disabled"},
    ]
    both.end([any_entry(chance, users, devices) for _ in range(10)] + bumps)
    for _ in range(4):
        both.end([any_entry(chance, users, devices) for _ in range(chance.randrange(1, 12))])
        tokens = [
            both.issuer.token(sub=users[n], sid=devices[n], gen=gen) for n in range(3) for gen in range(1, 8)
        ]
        # Of a device that nothing ends: all others may have been ended by chance.
        now, spared = int(time.time()), {"sub": users[1], "sid": new_id(), "gen": 7}
        tokens += [
            both.issuer.token(**spared),
            both.issuer.token(**spared, iat=rfc3339(now - 3600), exp=rfc3339(now - 600)),
        ]
        tokens += [any_token(chance, both, users, devices) for _ in range(150)]
        tokens += [altered(chance, chance.choice(tokens)) for _ in range(50)]
        for token in tokens:
            here, there = code(both.verifier, token), both.guard.code(token)
            assert here == there, f"seed {seed}: {token}"
            seen[here] = seen.get(here, 0) + 1
    expected = {"ok", "token_invalid", "token_expired", "reset", "signed_out", "signed_out_everywhere"}
    assert expected | {"superseded", "password_changed", "user_disabled"} <= seen.keys(), (
        f"seed {seed}: {seen}"
    )


def test_a_new_era_and_a_distrusted_key_get_equal_codes(both: Both) -> None:
    tokens = [both.issuer.token(), both.retired.sign(json.dumps(both.issuer.claims()))]
    for token in tokens:
        assert code(both.verifier, token) == both.guard.code(token) == "ok"
    distrusted = {"type": "keys", "keys_version": 2, "distrusted": both.retired.kid}
    del both.issuer.states[both.retired]
    both.issuer.distrusted.append(both.retired.kid)
    both.issuer.version = 2
    both.end([distrusted])
    assert [code(both.verifier, token) for token in tokens] == ["ok", "token_invalid"]
    assert [both.guard.code(token) for token in tokens] == ["ok", "token_invalid"]
    both.issuer.era += 1
    both.end([{"type": "era", "era": both.issuer.era}])
    assert code(both.verifier, tokens[0]) == both.guard.code(tokens[0]) == "reset"


def situations(service: Service) -> Iterator[tuple[str, str, str]]:
    """Each situation, a token in it, and the code that everybody gives it. Each user is in one, so that all hold until the end.

    `tests/process/same_codes.rs` has the same table for the guard alone, and lets the tokens expire."""
    reset = service.register("reset")["access"]
    yield "signed up before everybody was signed out", reset, "reset"
    service.command("everyone", "logout", "--yes")

    ended = service.register("ended")
    other = service.login("ended")["access"]
    service.post("auth/logout", refresh=ended["refresh"])
    yield "signed out", ended["access"], "signed_out"
    yield "another device was signed out", other, "ok"

    everywhere = service.register("everywhere")["access"]
    service.post("auth/logout-all", everywhere)
    yield "signed out everywhere", everywhere, "signed_out_everywhere"
    yield "signed in again", service.login("everywhere")["access"], "ok"

    here, there = service.register("others")["access"], service.login("others")["access"]
    newer = service.post("auth/logout-others", here)["access"]
    yield "signed out everywhere else: before it", here, "superseded"
    yield "signed out everywhere else: since then", newer, "ok"
    yield "signed out from elsewhere", there, "signed_out_everywhere"

    here, there = service.register("changed")["access"], service.login("changed")["access"]
    passwords = {"current_password": PASSWORD, "new_password": "another long password"}
    session = service.post("auth/password", here, **passwords)["session"]
    yield "a new password: before it", here, "password_changed"
    yield "a new password: since then", session["access"], "ok"
    yield "a new password on another device", there, "signed_out_everywhere"

    before = service.register("changed-first")["access"]
    between = service.post("auth/password", before, **passwords)["session"]["access"]
    since = service.post("auth/logout-others", between)["access"]
    yield "a new password, then everywhere else: before both", before, "password_changed"
    yield "a new password, then everywhere else: in between", between, "superseded"
    yield "a new password, then everywhere else: since then", since, "ok"


def situations_of_accounts(service: Service) -> Iterator[tuple[str, str, str]]:
    """Those that an administrator makes, and deleted accounts."""
    replaced = service.register("replaced")["access"]
    service.command("user", "password", "replaced", "--password-stdin", stdin="another long password")
    yield "an administrator set a new password", replaced, "signed_out_everywhere"

    disabled = service.register("disabled")
    ended = service.login("disabled")
    service.post("auth/logout", refresh=ended["refresh"])
    service.command("user", "disable", "disabled")
    yield "disabled", disabled["access"], "user_disabled"
    yield "signed out, then disabled", ended["access"], "user_disabled"

    both = service.register("both")["access"]
    service.command("user", "disable", "both")
    service.command("user", "password", "both", "--password-stdin", stdin="another long password")
    yield "disabled, then given a new password", both, "user_disabled"

    before = service.register("enabled")["access"]
    service.command("user", "disable", "enabled")
    service.command("user", "enable", "enabled")
    yield "disabled and enabled: before it", before, "signed_out_everywhere"
    between = service.login("enabled")["access"]
    yield "disabled and enabled: since then", between, "ok"

    twice = service.register("twice")["access"]
    service.command("user", "disable", "twice")
    service.command("user", "enable", "twice")
    since = service.login("twice")["access"]
    service.command("user", "disable", "twice")
    yield "disabled again: before the first time", twice, "user_disabled"
    yield "disabled again: before the second time", since, "user_disabled"

    deleted = service.register("deleted")["access"]
    service.post("auth/delete-account", deleted, password=PASSWORD)
    yield "deleted", deleted, "signed_out_everywhere"
    removed = service.register("removed")["access"]
    service.command("user", "disable", "removed")
    service.command("user", "delete", "removed", "--yes")
    yield "disabled, then deleted", removed, "signed_out_everywhere"


def test_the_service_and_both_followers_give_each_token_the_same_code(
    service: Service, tmp_path: Path
) -> None:
    key = service.service_key("feed")
    (tmp_path / "guard").mkdir()
    guard = Guard(tmp_path / "guard", service.url, key)
    with Verifier(service.url, audience="rescind", service_key=key) as verifier:
        rows = [*situations(service), *situations_of_accounts(service)]
        # The last entry of the log: once a follower knows it, it knows all.
        last = service.register("last")
        service.post("auth/logout", refresh=last["refresh"])
        until(lambda: guard.code(last["access"]) == "signed_out", "the guard knows")
        until(lambda: code(verifier, last["access"]) == "signed_out", "the verifier knows")
        for name, token, expected in rows:
            said = service.code(token), guard.code(token), code(verifier, token)
            assert said == (expected, expected, expected), name
        refresh = last["refresh"]
        for text in [refresh, rows[0][1][:-1], rows[0][1] + "A", "garbage", "v4.public.a.b"]:
            said = service.code(text), guard.code(text), code(verifier, text)
            assert said == ("token_invalid",) * 3, text
    guard.close()
