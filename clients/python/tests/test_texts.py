"""Signed texts are read as strictly as in Rust: tokens, frames, pongs, events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from issuer import AUDIENCE, NAME, Issuer, SigningKey, new_id, rfc3339
from rescind.claims import read_access
from rescind.errors import IssuerError
from rescind.feed import (
    IMPLICIT_ASSERTION,
    LONGEST_FRAME,
    LONGEST_PONG,
    FeedRefused,
    Frame,
    OtherIssuer,
    Pong,
    UnknownKey,
)
from rescind.keys import KeyHolder, NotAuthentic, PublicKey, ReplicaKeys, SeenTokens, named_kid
from rescind.names import AcceptedNames, Names
from rescind.stream import Parser
from rescind.wire import Unreadable, read_base64, read_id, read_kid, read_time

NOW = 1_795_342_812
ISSUERS = frozenset([NAME])


def keys_of(issuer: Issuer) -> ReplicaKeys:
    holder = KeyHolder(16, Names(NAME, AUDIENCE))
    keys = holder.publish(holder.none(), issuer.published())
    assert keys is not None
    return keys


def test_a_key_goes_by_the_id_that_follows_from_it() -> None:
    # PASERK's test vector for v4.public.
    key = PublicKey("k4.public.Hrnbu7wEfAP9cGBOAHHwmH4Wsot1ciXBHwBBXQ4gsaI")
    assert key.kid == "k4.pid.yh4-bJYjOYAG6CWy0zsfPmpKylxS7uAWrxqVmBN2KAiJ"


def test_the_test_vectors_of_paseto_verify() -> None:
    key = PublicKey("k4.public.Hrnbu7wEfAP9cGBOAHHwmH4Wsot1ciXBHwBBXQ4gsaI")
    key._footer = b'{"kid":"zVhMiPBP9fRf2snEcT7gFTioeA9COcNy9DfgL1W60haN"}'
    key.footer = "eyJraWQiOiJ6VmhNaVBCUDlmUmYyc25FY1Q3Z0ZUaW9lQTlDT2NOeTlEZmdMMVc2MGhhTiJ9"
    payload = "eyJkYXRhIjoidGhpcyBpcyBhIHNpZ25lZCBtZXNzYWdlIiwiZXhwIjoiMjAyMi0wMS0wMVQwMDowMDowMCswMDowMCJ9"
    two = f"v4.public.{payload}v3Jt8mx_TdM2ceTGoqwrh4yDFn0XsHvvV_D0DtwQxVrJEBMl0F2caAdgnpKlt4p7xBnx1HcO-SPo8FPp214HDw"
    three = f"v4.public.{payload}NPWciuD3d0o5eXJXG5pJy-DiVEoyPYWs1YSTwWHNJq6DZD3je5gf-0M4JR9ipdUSJbIovzmBECeaWmaqcaP0DQ"
    assert json.loads(key.open(f"{two}.{key.footer}", b""))["data"] == "this is a signed message"
    assertion = b'{"test-vector":"4-S-3"}'
    assert json.loads(key.open(f"{three}.{key.footer}", assertion))["data"] == "this is a signed message"
    with pytest.raises(NotAuthentic):
        key.open(f"{three}.{key.footer}", b"")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "k4.public.",
        "k4.public.Hrnbu7wEfAP9cGBOAHHwmH4Wsot1ciXBHwBBXQ4gsa",
        "k4.local.Hrnbu7wEfAP9cGBOAHHwmH4Wsot1ciXBHwBBXQ4gsaI",
        "k4.public.Hrnbu7wEfAP9cGBOAHHwmH4Wsot1ciXBHwBBXQ4gsaI=",
        # A line of PASERK's test vectors that is no point of the curve, and two points of small order.
        "k4.public.cHFyc3R1dnd4eXp7fH1-f4CBgoOEhYaHiImKi4yNjo8",
        "k4.public.AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "k4.public.xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o",
    ],
)
def test_what_is_no_public_key_is_refused(line: str) -> None:
    with pytest.raises(Unreadable):
        PublicKey(line)


def test_a_key_that_does_not_match_its_id_is_left_out() -> None:
    issuer, other = Issuer(NOW), SigningKey()
    document = issuer.document()
    document["keys"][0]["kid"] = other.kid
    holder = KeyHolder(16, Names(NAME, AUDIENCE))
    keys = holder.publish(holder.none(), type(issuer.published()).read(document))
    assert keys is not None
    assert not keys.public


def test_base64_has_one_spelling() -> None:
    assert read_base64("AQ") == b"\1"
    for other in ["AR", "AQ==", "A", "AQ\n", "A Q", "+Q", "AQ.", "é"]:
        with pytest.raises(Unreadable):
            read_base64(other)


def test_times_ids_and_key_ids_have_one_form() -> None:
    assert rfc3339(read_time("2026-11-22T10:20:12Z")) == "2026-11-22T10:20:12Z"
    for time in [
        "2026-11-22T10:20:12.5Z",
        "2026-11-22T10:20:12+00:00",
        "2026-11-22t10:20:12z",
        "",
        "2026-02-30T00:00:00Z",
    ]:
        with pytest.raises(Unreadable):
            read_time(time)
    for time in ["2026-11-22T10:20:60Z", "２026-11-22T10:20:12Z", "2026-11-22T10:20:12Z\n"]:
        with pytest.raises(Unreadable):
            read_time(time)
    text = "0197a5a0-0000-7000-8000-00000000abcd"
    assert read_id(text.upper()) == text
    for other in [
        f"{{{text}}}",
        text.replace("-", ""),
        f"urn:uuid:{text}",
        f"{text[:-1]}g",
        f"{text} ",
        "",
        text[:-1] + "é",
    ]:
        with pytest.raises(Unreadable):
            read_id(other)
    assert read_kid("k4.pid." + "A" * 44)
    for other in ["k4.sid." + "A" * 44, "k4.pid." + "A" * 45, "k4.pid.", "k3.pid." + "A" * 44]:
        with pytest.raises(Unreadable):
            read_kid(other)


def test_a_claim_that_is_missing_mistyped_or_repeated_is_refused_and_an_unknown_one_ignored() -> None:
    claims = Issuer(NOW).claims()
    good = json.dumps(claims)
    assert read_access(good).generation == 1
    assert read_access(good.replace("{", '{"scope":["x"],"scope":1,', 1)).era == 7
    for name, value in claims.items():
        bad: list[str] = [
            json.dumps({other: v for other, v in claims.items() if other != name}),
            json.dumps({**claims, name: None}),
            json.dumps({**claims, name: [value]}),
            good.replace("{", f'{{"{name}":{json.dumps(value)},', 1),
        ]
        for text in bad:
            with pytest.raises(Unreadable):
                read_access(text)
    others = ["-1", "1.0", "true", "1e0", str(2**64), "NaN", '"1"', "9" * 5000]
    for text in [
        *(good.replace('"gen": 1', f'"gen": {other}') for other in others),
        "[]",
        "",
        "[" * 100_000,
        "\ufeff" + good,
    ]:
        with pytest.raises(Unreadable):
            read_access(text)
    assert read_access(good.replace('"gen": 1', f'"gen": {2**64 - 1}')).generation == 2**64 - 1


def test_a_token_that_is_changed_in_any_place_is_refused() -> None:
    issuer = Issuer(NOW)
    keys, token = keys_of(issuer), issuer.token()
    assert keys.verify(token).issuer == NAME
    header, footer = len("v4.public."), token.rindex(".")
    for at in {*range(0, len(token), 7), header, footer, footer - 1, len(token) - 1}:
        for other in "AB.=\n":
            changed = token[:at] + other + token[at + 1 :]
            if changed != token:
                with pytest.raises(NotAuthentic):
                    keys.verify(changed)
    for other in [
        token + "A",
        token + ".",
        token[:-1],
        token[1:],
        f" {token}",
        f"{token}\n",
        token.rsplit(".", 1)[0],
        "",
        "v4.public..",
        "é" * 50,
    ]:
        with pytest.raises(NotAuthentic):
            keys.verify(other)


def test_a_token_of_another_kind_of_key_or_purpose_is_refused() -> None:
    issuer, other = Issuer(NOW), Issuer(NOW)
    keys = keys_of(issuer)
    for text in [
        other.token(),
        issuer.key.sign("{}"),
        issuer.frame(),
        issuer.pong("n" * 22),
        issuer.token().replace("public", "local"),
    ]:
        with pytest.raises(NotAuthentic):
            keys.verify(text)


def test_a_huge_token_is_refused_before_it_is_decoded() -> None:
    issuer = Issuer(NOW)
    keys = keys_of(issuer)
    assert len(issuer.token(pad="x" * 800)) <= 2048
    assert keys.verify(issuer.token(pad="x" * 800))
    with pytest.raises(NotAuthentic):
        keys.verify(issuer.token(pad="x" * 2000))
    with pytest.raises(NotAuthentic):
        keys.verify("v4.public." + "A" * 10_000_000)


def test_a_token_names_its_key() -> None:
    issuer = Issuer(NOW)
    assert named_kid(issuer.token()) == issuer.key.kid
    for other in [
        "",
        "a.b.c",
        "v4.public.a.!",
        "v4.public.a.e30",
        issuer.token() + ".x",
        "v4.public.a." + "A" * 3000,
    ]:
        assert named_kid(other) is None


def test_the_cache_is_bounded_and_keeps_what_is_used() -> None:
    seen = SeenTokens(8)
    claims = read_access(json.dumps(Issuer(NOW).claims()))
    seen.remember("used", claims)
    for number in range(100):
        seen.remember(f"token {number}", claims)
        assert seen.recall("used") is claims
        assert len(seen) <= 8
    assert seen.recall("token 1") is None


def test_names_are_accepted_as_pairs_of_the_expected_issuer() -> None:
    expected, former = Names("i", "a"), Names("j", "b")
    accepted = AcceptedNames.published(expected, "j", former, [expected, former])
    assert accepted is not None
    assert accepted.pairs == {expected, former}
    assert AcceptedNames.published(expected, "j", former, [former]) is None
    alone = AcceptedNames.published(expected, "i", Names("i", "b"), [])
    assert alone is not None
    assert alone.pairs == {expected}
    older = AcceptedNames.published(expected, "i", None, [])
    assert older is not None
    assert older.pairs == {expected}


# ---- the feed ---------------------------------------------------------------------------------------------------------


def entry(**members: Any) -> dict[str, Any]:
    return {"at": rfc3339(NOW), **members}


GOOD_ENTRIES = [
    entry(type="device_ended", user=new_id(), device=new_id(), later=1),
    entry(type="generation", user=new_id(), generation=2, kept=new_id(), cause="some later cause"),
    entry(type="generation", user=new_id(), generation=2),
    entry(type="era", era=9, generation=None),
    entry(type="keys", keys_version=2),
]


def test_a_frame_has_its_entries_in_order() -> None:
    issuer = Issuer(NOW)
    issuer.entries = GOOD_ENTRIES
    frame = Frame.verify(issuer.frame(2), keys_of(issuer), ISSUERS)
    assert [e.position for e in frame.entries] == [3, 4, 5]


@pytest.mark.parametrize(
    "bad",
    [
        entry(type="device_ended", user=new_id()),
        entry(type="device_ended", user=new_id(), device="x"),
        entry(type="device_ended", user=new_id(), device=new_id(), kept=None),
        entry(type="generation", user=new_id(), generation=None),
        entry(type="generation", user=new_id(), generation=1.0),
        entry(type="generation", user=new_id(), generation=2, cause=None),
        entry(type="era", era=-1),
        entry(type="era"),
        entry(type="keys", keys_version=2, distrusted="k4.pid.short"),
        entry(type="something_later", user=new_id()),
        {"type": "era", "era": 9},
        "era",
    ],
)
def test_a_frame_with_an_entry_that_is_not_understood_is_refused_whole(bad: Any) -> None:
    issuer = Issuer(NOW)
    issuer.entries = [*GOOD_ENTRIES, bad]
    with pytest.raises(FeedRefused, match="not understood"):
        Frame.verify(issuer.frame(), keys_of(issuer), ISSUERS)


def test_what_is_no_frame_or_pong_is_refused() -> None:
    issuer = Issuer(NOW)
    keys, frame, pong = keys_of(issuer), issuer.statement("frame"), issuer.statement("pong")
    frame = {**frame, "start": True, "after": 0, "entries": []}
    assert Frame.verify(issuer.sign({**frame, "later": 1}), keys, ISSUERS)
    assert Pong.verify(issuer.sign({**pong, "nonce": "n"}), keys, ISSUERS)
    for name in frame:
        missing = {other: value for other, value in frame.items() if other != name}
        for bad in (missing, {**frame, name: None}):
            with pytest.raises(FeedRefused):
                Frame.verify(issuer.sign(bad), keys, ISSUERS)
    bad_frames = [
        {**frame, "head": 0, "after": 1},
        {**frame, "after": 2**53, "head": 2**60},
        {**frame, "start": 1},
        {**frame, "head": 300, "entries": [entry(type="era", era=1)] * 257},
        {**pong, "nonce": "n"},
    ]
    for bad in bad_frames:
        with pytest.raises(FeedRefused):
            Frame.verify(issuer.sign(bad), keys, ISSUERS)
    for text in [
        issuer.token(),
        issuer.key.sign(json.dumps(frame)),
        "x" * (LONGEST_FRAME + 1),
        "",
        issuer.sign(frame)[:-2] + "AA",
    ]:
        with pytest.raises(FeedRefused):
            Frame.verify(text, keys, ISSUERS)
    with pytest.raises(FeedRefused):
        Pong.verify(issuer.sign(frame), keys, ISSUERS)
    with pytest.raises(UnknownKey):
        Frame.verify(Issuer(NOW).frame(), keys, ISSUERS)
    with pytest.raises(FeedRefused, match="too long"):
        Frame.verify(issuer.sign({**frame, "pad": "x" * LONGEST_FRAME}), keys, ISSUERS)
    with pytest.raises(FeedRefused, match="too long"):
        Pong.verify(issuer.sign({**pong, "nonce": "n", "pad": "x" * LONGEST_PONG}), keys, ISSUERS)
    with pytest.raises(OtherIssuer):
        Frame.verify(issuer.frame(iss="https://other.example"), keys, ISSUERS)
    with pytest.raises(OtherIssuer):
        Pong.verify(issuer.pong("n", iss="https://other.example"), keys, ISSUERS)


def test_a_frame_that_distrusts_its_own_key_is_forged() -> None:
    issuer = Issuer(NOW)
    issuer.entries = [entry(type="keys", keys_version=2, distrusted=issuer.key.kid)]
    with pytest.raises(FeedRefused, match="itself"):
        Frame.verify(issuer.frame(), keys_of(issuer), ISSUERS)
    issuer.key.sign("", IMPLICIT_ASSERTION)


# ---- server-sent events -----------------------------------------------------------------------------------------------


def parsed(*chunks: str) -> list[str]:
    parser = Parser()
    return [f"{event.name}={event.data}" for chunk in chunks for event in parser.feed(chunk.encode())]


def test_events_are_found_however_the_bytes_are_cut() -> None:
    text = ": hello\n\nid: 7\nevent: frame\ndata: one\n\nretry: 100\r\ndata:two\r\n\r\ndata: three\r\rdata: unfinished"
    events = ["frame=one", "=two", "=three"]
    assert parsed(text) == events
    assert parsed(*text) == events
    for at in range(len(text)):
        assert parsed(text[:at], text[at:]) == events, at


def test_what_is_too_long_is_refused_before_it_is_kept() -> None:
    assert len(parsed(f"data: {'a' * LONGEST_FRAME}\n\n")) == 1
    longer = "a" * (LONGEST_FRAME + 1)
    for chunks in [(f"data: {longer}\n\n",), ("data: ", longer, longer), (f"data: {'a' * 1000}\n" * 66,)]:
        with pytest.raises(IssuerError):
            parsed(*chunks)
