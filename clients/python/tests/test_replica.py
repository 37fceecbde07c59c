"""The replica without I/O: freshness, order of reasons, stores, keys, names. The issuer and both clocks are the test's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from issuer import AUDIENCE, NAME, Issuer, SigningKey, new_id, rfc3339
from rescind.clock import Clock
from rescind.errors import Doubt, NotFresh
from rescind.event import Event
from rescind.keys import LONGEST_TOKEN
from rescind.names import Names
from rescind.pings import Pings
from rescind.replica import Replica, ReplicaView, StreamAction

NOW = 1_795_342_812


class ManualClock(Clock):
    def __init__(self) -> None:
        self.now = float(NOW)
        self.up = 1000.0

    def wall(self) -> float:
        return self.now

    def uptime(self) -> float:
        return self.up

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.up += seconds


class Follower:
    """A replica, the issuer it follows and the events it reported."""

    def __init__(self, **limits: Any) -> None:
        self.clock, self.events = ManualClock(), list[Event]()
        self.issuer = Issuer(NOW)
        self.view = ReplicaView(
            Names(NAME, AUDIENCE), clock=self.clock, listener=self.events.append, **limits
        )
        self.replica = Replica(self.view)
        self.sent = 0

    def meet(self) -> None:
        """What happens at the start: keys, a pong, a snapshot, another pong."""
        self.replica.publish(self.issuer.published())
        assert self.pong() is StreamAction.BEGIN
        self.frame(start=True)
        self.pong()

    def pong(self, nonce: str | None = None, **changed: Any) -> StreamAction:
        self.issuer.now = self.clock.now
        return self.replica.pong(self.issuer.pong(nonce or self.replica.ask().nonce, **changed))

    def frame(self, **changed: Any) -> StreamAction:
        """The frame with all entries that were not sent yet."""
        after, self.sent = self.sent, self.issuer.head
        return self.replica.frame(self.issuer.frame(after, **changed))

    def end(self, **entry: Any) -> None:
        self.issuer.end(**entry)
        assert self.frame() is StreamAction.KEEP

    def code(self, token: str) -> str:
        _, rejection = self.view.examine(token)
        if isinstance(rejection, NotFresh):
            return f"stale {rejection.doubt.name.lower()}"
        return "ok" if rejection is None else rejection.code

    def names(self) -> list[str]:
        return [event.name for event in self.events]


@pytest.fixture
def follower() -> Follower:
    follower = Follower()
    follower.meet()
    assert follower.code(follower.issuer.token()) == "ok"
    return follower


# ---- freshness --------------------------------------------------------------------------------------------------------


def test_nothing_is_accepted_before_a_pong_and_its_head() -> None:
    follower = Follower()
    token = follower.issuer.token()
    assert follower.code(token) == "stale unproven"
    follower.replica.publish(follower.issuer.published())
    follower.issuer.end(type="era", era=1)
    follower.pong()
    assert follower.code(token) == "stale unproven"
    assert (
        follower.replica.frame(follower.issuer.frame(0, start=True, entries=[], head=0)) is StreamAction.KEEP
    )
    assert follower.code(token) == "stale unproven"
    follower.replica.frame(follower.issuer.frame(0))
    assert follower.code(token) == "ok"


def test_freshness_is_proven_as_of_the_moment_the_ping_was_sent(follower: Follower) -> None:
    token = follower.issuer.token()
    asked = follower.replica.ask()
    follower.clock.advance(9)
    follower.pong(asked.nonce)
    assert follower.view.lag() == 9
    follower.clock.advance(1)
    assert follower.code(token) == "ok"
    follower.clock.advance(0.001)
    assert follower.code(token) == "stale late"
    follower.pong()
    assert follower.code(token) == "ok"


def test_an_answer_that_is_repeated_late_or_to_no_question_proves_nothing(follower: Follower) -> None:
    token, asked = follower.issuer.token(), follower.replica.ask()
    answer = follower.issuer.pong(asked.nonce)
    later = follower.replica.ask()
    follower.pong(later.nonce)
    follower.clock.advance(11)
    for text in [answer, follower.issuer.pong("n" * 22), follower.issuer.pong(later.nonce)]:
        follower.replica.pong(text)
        assert follower.code(token) == "stale late"


def test_an_altered_answer_proves_nothing_and_is_reported(follower: Follower) -> None:
    follower.clock.advance(11)
    text = follower.issuer.pong(follower.replica.ask().nonce)
    for altered in [text[:-60] + "A" + text[-59:], text[:40] + "A" + text[41:], text + "x" * LONGEST_TOKEN]:
        follower.replica.pong(altered)
    assert follower.code(follower.issuer.token()) == "stale late"
    assert "altered" in follower.names()


def test_an_answer_whose_head_is_not_applied_proves_nothing_yet(follower: Follower) -> None:
    follower.clock.advance(11)
    follower.issuer.end(type="device_ended", user=new_id(), device=new_id())
    follower.pong()
    assert follower.code(follower.issuer.token()) == "stale late"
    follower.clock.advance(4.5)
    assert follower.replica.is_behind(4)
    follower.frame()
    assert not follower.replica.is_behind(0)
    assert follower.view.lag() == 4.5


def test_an_answer_with_newer_keys_proves_nothing_before_they_are_fetched(follower: Follower) -> None:
    follower.clock.advance(11)
    follower.issuer.version = 2
    follower.pong()
    assert follower.code(follower.issuer.token()) == "stale late"
    assert follower.replica.wants_keys
    follower.replica.publish(follower.issuer.published())
    assert follower.code(follower.issuer.token()) == "ok"
    assert not follower.replica.wants_keys


@pytest.mark.parametrize("seconds", [61.0, -61.0])
def test_a_clock_that_jumps_refuses_until_it_is_right_again(follower: Follower, seconds: float) -> None:
    token = follower.issuer.token()
    follower.clock.now += seconds
    assert follower.code(token) == "stale clock"
    follower.replica.ask()
    assert follower.names()[-1] == "stale"
    follower.clock.now -= seconds
    assert follower.code(token) == "ok"


def test_a_clock_that_is_a_minute_off_still_serves(follower: Follower) -> None:
    token = follower.issuer.token()
    follower.clock.now -= 60
    assert follower.code(token) == "ok"


def test_a_machine_that_slept_refuses_until_the_next_proof(follower: Follower) -> None:
    token = follower.issuer.token()
    follower.clock.advance(600)
    assert follower.code(token) == "stale late"
    follower.pong()
    assert follower.code(token) == "ok"


def test_more_revocations_than_fit_refuse_everybody() -> None:
    follower = Follower(max_entries=2)
    follower.meet()
    for _ in range(2):
        follower.end(type="device_ended", user=new_id(), device=new_id())
    assert follower.code(follower.issuer.token()) == "ok"
    follower.issuer.end(type="device_ended", user=new_id(), device=new_id())
    assert follower.frame() is StreamAction.RESUME
    assert follower.code(follower.issuer.token()) == "stale full"
    follower.clock.advance(66 * 60)
    follower.replica.ask()
    assert follower.replica.frame(follower.issuer.frame(follower.replica.resume or 0)) is StreamAction.KEEP
    follower.pong()
    assert follower.code(follower.issuer.token()) == "ok"


# ---- the order of reasons -------------------------------------------------------------------------------------------


def test_the_first_reason_that_applies_is_the_answer(follower: Follower) -> None:
    user, device, other = new_id(), new_id(), new_id()
    follower.end(type="generation", user=user, generation=3, kept=device)

    def code(gen: int, **claims: Any) -> str:
        return follower.code(follower.issuer.token(sub=user, gen=gen, **claims))

    expired = {"iat": rfc3339(NOW - 900), "exp": rfc3339(NOW)}
    assert code(3) == code(4) == "ok"
    assert code(2) == "signed_out_everywhere"
    assert code(2, sid=device) == "superseded"
    assert code(2, sid=device, **expired) == "superseded"
    assert code(3, **expired) == "token_expired"
    assert code(2, era=6, **expired) == "reset"
    assert code(3, era=8) == "ok"
    follower.end(type="device_ended", user=user, device=other)
    assert code(3, sid=other, **expired) == "signed_out"
    assert code(2, sid=other) == "signed_out_everywhere"
    follower.end(type="era", era=9)
    assert code(3) == "reset"
    assert code(3, era=9) == "ok"


CHANGED = "password_changed"


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ([(2, "this", CHANGED)], ["password_changed", "ok"]),
        ([(2, "this", CHANGED), (2, "this", CHANGED)], ["password_changed", "ok"]),
        ([(2, "this", CHANGED), (3, "this", "")], ["password_changed", "superseded", "ok"]),
        ([(2, "this", ""), (3, "this", CHANGED)], ["password_changed", "password_changed", "ok"]),
        (
            [(2, "this", CHANGED), (3, "this", ""), (2, "this", CHANGED)],
            ["password_changed", "superseded", "ok"],
        ),
        ([(2, "other", CHANGED)], ["signed_out_everywhere", "ok"]),
        ([(2, "", "disabled")], ["user_disabled", "ok"]),
        ([(2, "", "disabled"), (2, "", "disabled")], ["user_disabled", "ok"]),
        ([(2, "this", CHANGED), (3, "", "disabled")], ["user_disabled", "user_disabled", "ok"]),
        ([(2, "", "disabled"), (3, "", "")], ["signed_out_everywhere", "signed_out_everywhere", "ok"]),
        (
            [(2, "", "disabled"), (3, "", ""), (2, "", "disabled")],
            ["signed_out_everywhere", "signed_out_everywhere", "ok"],
        ),
        ([(2, "this", "disabled")], ["superseded", "ok"]),
        ([(2, "", CHANGED)], ["signed_out_everywhere", "ok"]),
    ],
)
def test_the_cause_of_a_bump_decides_how_earlier_tokens_are_refused(
    follower: Follower, heard: list[tuple[int, str, str]], expected: list[str]
) -> None:
    user, devices = new_id(), {"this": new_id(), "other": new_id()}
    for generation, kept, cause in heard:
        said = {"kept": devices[kept]} if kept else {}
        said |= {"cause": cause} if cause else {}
        follower.end(type="generation", user=user, generation=generation, **said)
    codes = [
        follower.code(follower.issuer.token(sub=user, sid=devices["this"], gen=own))
        for own in range(1, len(expected) + 1)
    ]
    assert codes == expected


def test_what_ended_stays_ended_however_stale_the_rest_is(follower: Follower) -> None:
    user, device = new_id(), new_id()
    follower.end(type="device_ended", user=user, device=device)
    old = {"iat": rfc3339(NOW - 900), "exp": rfc3339(NOW)}
    follower.clock.advance(60)
    assert follower.code(follower.issuer.token(sub=user, sid=device)) == "signed_out"
    assert follower.code(follower.issuer.token()) == "stale late"
    assert follower.code(follower.issuer.token(**old)) == "stale late"
    assert follower.code("garbage") == "stale late"
    follower.pong()
    assert follower.code(follower.issuer.token(**old)) == "token_expired"
    assert follower.code("garbage") == "token_invalid"


def test_times_of_tokens_are_limited(follower: Follower) -> None:
    hour = {"iat": rfc3339(NOW), "exp": rfc3339(NOW + 3600)}
    assert follower.code(follower.issuer.token(**hour)) == "ok"
    assert follower.code(follower.issuer.token(**{**hour, "exp": rfc3339(NOW + 3601)})) == "token_invalid"
    assert follower.code(follower.issuer.token(iat=rfc3339(NOW + 60))) == "ok"
    assert follower.code(follower.issuer.token(iat=rfc3339(NOW + 61))) == "token_expired"


def test_revocations_are_kept_by_the_time_of_receipt(follower: Follower) -> None:
    user, device = new_id(), new_id()
    follower.issuer.now = NOW - 10_000
    follower.end(type="device_ended", user=user, device=device)
    follower.clock.advance(64 * 60)
    follower.pong()
    claims = {
        "sub": user,
        "sid": device,
        "iat": rfc3339(follower.clock.now),
        "exp": rfc3339(follower.clock.now + 9),
    }
    assert follower.code(follower.issuer.token(**claims)) == "signed_out"
    follower.clock.advance(2 * 60)
    follower.replica.ask()
    assert len(follower.view.state.revoked) == 0


# ---- the log --------------------------------------------------------------------------------------------------------


def test_an_altered_frame_ends_nothing_and_asks_for_a_snapshot(follower: Follower) -> None:
    user, device = new_id(), new_id()
    follower.issuer.end(type="device_ended", user=user, device=device)
    text = follower.issuer.frame(0)
    assert follower.replica.frame(text[:60] + "A" + text[61:]) is StreamAction.BEGIN
    assert follower.code(follower.issuer.token(sub=user, sid=device)) == "ok"
    assert follower.names()[-1] == "altered"
    follower.pong()
    follower.clock.advance(11)
    assert follower.code(follower.issuer.token()) == "stale late"


def test_a_gap_asks_for_a_snapshot_and_a_repeat_changes_nothing(follower: Follower) -> None:
    devices = [new_id() for _ in range(3)]
    for device in devices:
        follower.issuer.end(type="device_ended", user=new_id(), device=device)
    assert follower.replica.frame(follower.issuer.frame(1)) is StreamAction.BEGIN
    assert follower.names()[-1] == "missed"
    assert len(follower.view.state.revoked) == 0
    assert follower.replica.frame(follower.issuer.frame(0)) is StreamAction.KEEP
    assert follower.replica.frame(follower.issuer.frame(1)) is StreamAction.KEEP
    assert follower.names().count("ended") == 3
    assert follower.replica.resume == 2


def test_an_old_snapshot_that_somebody_repeats_forgets_nothing(follower: Follower) -> None:
    old = follower.issuer.frame(0, start=True)
    user, device = new_id(), new_id()
    for _ in range(2):
        follower.end(type="device_ended", user=user, device=device)
    assert follower.replica.frame(old) is StreamAction.KEEP
    assert follower.code(follower.issuer.token(sub=user, sid=device)) == "signed_out"
    assert follower.replica.resume == 1


def test_a_frame_of_another_store_ends_nothing(follower: Follower) -> None:
    user, device, follower.issuer.store = new_id(), new_id(), new_id()
    follower.end(type="device_ended", user=user, device=device)
    assert follower.code(follower.issuer.token(sub=user, sid=device)) == "ok"
    assert follower.replica.resume == 0


def test_an_answer_of_the_store_before_that_comes_late_does_not_bring_it_back(follower: Follower) -> None:
    early = follower.issuer.pong(follower.replica.ask().nonce)
    follower.issuer.store = new_id()
    assert follower.pong() is StreamAction.BEGIN
    assert follower.replica.pong(early) is StreamAction.KEEP
    assert follower.view.state.store == follower.issuer.store


def test_an_answer_is_taken_once_and_none_after_a_later_one() -> None:
    pings = Pings()
    first, second, third = (pings.ask(float(sent), None) for sent in range(3))
    assert pings.answer(second.nonce) == second
    assert pings.answer(second.nonce) is None
    assert pings.answer(first.nonce) is None
    assert pings.answer(third.nonce) == third


def test_a_store_that_lost_entries_keeps_what_is_known_and_proves_nothing(follower: Follower) -> None:
    user, device = new_id(), new_id()
    follower.end(type="device_ended", user=user, device=device)
    follower.issuer.entries.clear()
    follower.pong()
    assert "rolled_back" in follower.names()
    follower.clock.advance(11)
    follower.pong()
    assert follower.code(follower.issuer.token(sub=user, sid=device)) == "signed_out"
    assert follower.code(follower.issuer.token()) == "stale late"


def test_another_entry_at_the_last_position_is_a_rollback(follower: Follower) -> None:
    follower.end(type="device_ended", user=new_id(), device=new_id())
    follower.issuer.entries = []
    for _ in range(2):
        follower.issuer.end(type="device_ended", user=new_id(), device=new_id())
    follower.replica.frame(follower.issuer.frame(follower.replica.resume or 0))
    assert "rolled_back" in follower.names()


def test_a_new_store_refuses_until_its_whole_log_is_applied(follower: Follower) -> None:
    old_frame = follower.issuer.frame(0, start=True)
    follower.end(type="device_ended", user=new_id(), device=new_id())
    follower.issuer.store, follower.issuer.entries, follower.sent = new_id(), [], 0
    user, device = new_id(), new_id()
    follower.issuer.end(type="device_ended", user=user, device=device)
    # A frame of an unknown store may be a replayed one: only an answer says which is the issuer's.
    assert follower.replica.frame(follower.issuer.frame(0, start=True)) is StreamAction.KEEP
    assert follower.code(follower.issuer.token()) == "ok"
    assert follower.pong() is StreamAction.BEGIN
    assert follower.code(follower.issuer.token()) == "stale unproven"
    assert follower.replica.resume is None
    follower.replica.frame(old_frame)
    assert follower.code(follower.issuer.token()) == "stale unproven"
    follower.frame(start=True)
    assert follower.code(follower.issuer.token()) == "stale unproven"
    # Its keys may be others, whatever their version.
    assert follower.replica.wants_keys
    follower.replica.publish(follower.issuer.published())
    assert follower.code(follower.issuer.token()) == "ok"
    assert follower.code(follower.issuer.token(sub=user, sid=device)) == "signed_out"


def test_an_era_in_an_answer_ends_tokens_before_its_entry_arrives(follower: Follower) -> None:
    token, follower.issuer.era = follower.issuer.token(), 8
    follower.pong()
    assert follower.code(token) == "reset"


# ---- keys and names -------------------------------------------------------------------------------------------------


def test_a_token_of_a_newer_key_is_stale_until_the_keys_are_fetched(follower: Follower) -> None:
    old, new = follower.issuer.key, SigningKey()
    token = new.sign(json.dumps(follower.issuer.claims()))
    assert follower.code(token) == "token_invalid"
    follower.end(type="keys", keys_version=2)
    assert follower.code(token) == "stale keys"
    follower.issuer.version, follower.issuer.states = (
        2,
        {old: ("retired", rfc3339(NOW + 100)), new: ("active", None)},
    )
    follower.replica.publish(follower.issuer.published())
    assert follower.code(token) == "ok"
    assert follower.code(follower.issuer.token()) == "ok"
    # A retired key ends, by the issuer's time.
    follower.clock.advance(101)
    follower.issuer.key = new
    follower.pong()
    follower.issuer.key = old
    assert follower.code(follower.issuer.token()) == "token_invalid"


def test_a_text_of_an_unknown_key_fetches_the_keys(follower: Follower) -> None:
    assert not follower.replica.wants_keys
    follower.issuer.key = SigningKey()
    assert follower.pong() is StreamAction.KEEP
    assert follower.replica.wants_keys


def test_a_distrusted_key_ends_its_tokens_for_ever(follower: Follower) -> None:
    old, new = follower.issuer.key, SigningKey()
    follower.issuer.states[new] = ("next", None)
    follower.replica.publish(follower.issuer.published())
    token = follower.issuer.token()
    assert follower.code(token) == "ok"
    outdated = follower.issuer.published()
    follower.issuer.key = new
    follower.end(type="keys", keys_version=2, distrusted=old.kid)
    assert follower.code(token) == "token_invalid"
    follower.replica.publish(outdated)
    assert follower.code(token) == "token_invalid"
    assert follower.replica.wants_keys


def test_keys_that_are_published_as_distrusted_are_never_trusted(follower: Follower) -> None:
    token = follower.issuer.token()
    before = follower.issuer.published()
    new = SigningKey()
    follower.issuer.states, follower.issuer.distrusted = {new: ("active", None)}, [follower.issuer.key.kid]
    follower.replica.publish(follower.issuer.published())
    follower.replica.publish(before)
    assert follower.code(token) == "token_invalid"


def test_former_names_are_accepted_as_pairs(follower: Follower) -> None:
    issuer = follower.issuer
    renamed = {"iss": "https://new.example", "aud": "shop"}
    issuer.names = [{"issuer": "https://new.example", "audience": "shop"}, *issuer.names]
    token = issuer.token(**renamed)
    # Issued after the moment of which everything is known: the issuer may have got the name since.
    assert follower.code(token) == "stale keys"
    follower.replica.publish(issuer.published())
    assert follower.code(token) == "ok"
    assert follower.code(issuer.token()) == "ok"
    crossed = issuer.token(iss="https://new.example", iat=rfc3339(NOW - 60))
    assert follower.code(crossed) == "token_invalid"


def test_another_issuer_or_audience_is_refused(follower: Follower) -> None:
    past = {"iat": rfc3339(NOW - 60)}
    assert follower.code(follower.issuer.token(iss="https://other.example", **past)) == "token_invalid"
    assert follower.code(follower.issuer.token(aud="other", **past)) == "token_invalid"


def test_an_issuer_that_calls_itself_otherwise_is_refused_after_its_names_were_fetched(
    follower: Follower,
) -> None:
    follower.issuer.name = "https://other.example"
    follower.pong()
    assert follower.code(follower.issuer.token()) == "ok"
    assert follower.replica.wants_keys
    follower.issuer.name = NAME
    follower.replica.publish(follower.issuer.published())
    follower.issuer.name = "https://other.example"
    follower.pong()
    assert follower.code(follower.issuer.token()) == "stale unproven"
    assert "other_issuer" in follower.names()


def test_keys_of_another_issuer_are_not_taken_and_nothing_is_accepted_any_more(follower: Follower) -> None:
    other = Issuer(NOW)
    other.name, other.names = "https://other.example", []
    assert not follower.replica.publish(other.published())
    assert follower.code(follower.issuer.token()) == "stale unproven"
    assert follower.names()[-2:] == ["other_issuer", "stale"]
    assert follower.view.doubt() is Doubt.UNPROVEN


def test_events_tell_what_a_person_has_to_know(follower: Follower) -> None:
    follower.issuer.names = [{"issuer": NAME, "audience": AUDIENCE}, {"issuer": "j", "audience": AUDIENCE}]
    follower.issuer.name = "j"
    follower.replica.publish(follower.issuer.published())
    assert follower.names()[-1] == "renamed"
    assert follower.names()[:2] == ["keys", "fresh"]
