"""The replica of the revocation log: how each incoming text changes it, and the next action.

Everything is decided here without I/O. One thread owns the replica, any number of threads read the state it writes.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterable

from .claims import Claims
from .clock import Clock
from .errors import Doubt, NotFresh, Reason, Rejected, TokenEnded, TokenInvalid
from .event import Event, Listener, notify
from .feed import Entry, FeedRefused, Frame, KeysChanged, OtherIssuer, Pong, Statement, UnknownKey
from .keys import KeyHolder, NotAuthentic, OtherNames, PublishedKeys
from .names import Names
from .pings import Answered, Asked, Pings
from .state import ReplicaState

#: The interval at which expired entries are removed, in seconds.
_FORGET_EVERY = 60.0


class StreamAction(enum.Enum):
    """The next action on the stream."""

    KEEP = enum.auto()
    #: Open it again where it stopped.
    RESUME = enum.auto()
    #: Open it again with a snapshot.
    BEGIN = enum.auto()


class ReplicaView:
    """The state that any thread reads, and the decision about a token."""

    def __init__(
        self,
        expected: Names,
        *,
        max_staleness: float = 10.0,
        max_entries: int = 1_000_000,
        remembered_tokens: int = 16_384,
        clock: Clock | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.expected = expected
        self.max_staleness = max_staleness
        self.max_entries = max_entries
        self.clock = clock or Clock()
        self.listener = listener
        self.holder = KeyHolder(remembered_tokens, expected)
        self.keys = self.holder.none()
        self.state = ReplicaState(None, 0)

    def doubt(self) -> Doubt | None:
        """Why tokens are refused as stale now; `None` while freshness is proven."""
        return self.state.doubt(self.clock.wall(), self.clock.uptime(), self.max_staleness)

    def lag(self) -> float | None:
        """The seconds since the moment up to which every sign-out is known; `None` without a proof."""
        as_of = self.state.as_of
        return None if as_of is None else self.clock.uptime() - as_of

    def examine(self, token: str) -> tuple[Claims | None, Rejected | None]:
        """The claims of an accepted token; else the rejection, with the claims if the token is authentic."""
        wall, state = self.clock.wall(), self.state
        # Before anything is looked up: what is found then is at least as new as the proof.
        doubt = state.doubt(wall, self.clock.uptime(), self.max_staleness)
        keys = self.keys
        try:
            claims = keys.verify(token)
        except NotAuthentic:
            outdated = keys.version < state.newest_keys
            may_be_good = outdated and keys.may_lack_the_key_of(token)
            return None, _unless_stale(doubt, NotFresh(Doubt.KEYS) if may_be_good else TokenInvalid())
        except OtherNames as other:
            # The issuer may have got the names after the moment of which everything is known.
            as_of = None if state.as_of is None else state.issuer_time(state.as_of)
            may_be_good = keys.version < state.newest_keys or as_of is None or other.issued >= int(as_of)
            return None, _unless_stale(doubt, NotFresh(Doubt.KEYS) if may_be_good else TokenInvalid())
        now = int(wall)
        reason = state.revoked.judge(claims, now)
        if not claims.is_short_lived:
            return claims, _unless_stale(doubt, TokenInvalid())
        if reason is None and claims.is_from_the_future(now):
            # A clock is wrong, there or here. The token may be good: a refresh gets a new one.
            reason = Reason.EXPIRED
        if reason is None:
            return claims, (None if doubt is None else NotFresh(doubt))
        if reason is Reason.EXPIRED:
            # `exp` is trusted only while the clocks agree.
            return claims, _unless_stale(doubt, TokenEnded(reason))
        # What ended stays ended, however stale the rest is.
        return claims, TokenEnded(reason)


def _unless_stale(doubt: Doubt | None, rejection: Rejected) -> Rejected:
    return rejection if doubt is None else NotFresh(doubt)


class Replica:
    """The only writer of a `ReplicaView`."""

    def __init__(self, view: ReplicaView) -> None:
        self._view = view
        # Whether the keys have to be fetched.
        self._fetch = True
        # The names in the tokens that the issuer issues, as last published.
        self._present: Names | None = None
        # None unless a known key signed a text of an unknown issuer; then whether the names were fetched since.
        self._foreign: bool | None = None
        # The position up to which the log is applied; None before a snapshot has begun.
        self._applied: int | None = None
        self._last: Entry | None = None
        self._pings = Pings()
        self._rolled_back = False
        self._forgot = view.clock.uptime()
        self._doubt: Doubt | None = Doubt.UNPROVEN

    @property
    def resume(self) -> int | None:
        """The position to continue from with a new stream; `None` for a snapshot.

        The last entry is requested again: a store that was rolled back and has grown since has another one there.
        """
        if self._applied is None:
            return None
        again = self._last is not None and self._last.position == self._applied
        return max(0, self._applied - again)

    @property
    def knows_store(self) -> bool:
        """Whether the issuer's store is known, so that its stream can be told from another's."""
        return self._view.state.store is not None

    @property
    def wants_keys(self) -> bool:
        """Whether the keys have to be fetched, because newer ones exist or may exist."""
        return self._fetch or self._view.keys.version < self._view.state.newest_keys

    def is_behind(self, since: float) -> bool:
        """Whether an answer has waited for its entries for longer than this: then the stream is dead."""
        behind = self._pings.behind(self._applied)
        return behind is not None and self._view.clock.uptime() - behind > since

    def ask(self) -> Asked:
        """Makes a ping and remembers its nonce."""
        self._forget()
        self._watch()
        return self._pings.ask(self._view.clock.uptime(), self._applied)

    def publish(self, published: PublishedKeys) -> bool:
        """Applies the published keys; false if another issuer published them."""
        current = self._view.keys
        keys = self._view.holder.publish(current, published)
        if keys is None:
            self._refuse_other(published.issuer)
            return False
        self._fetch = False
        if self._foreign is not None:
            self._foreign = True
        self._compare_names(published.present, keys.names.pairs)
        if keys.version != current.version:
            self._notify("keys", f"the keys are now version {keys.version}", logging.INFO)
        self._view.keys = keys
        self._prove()
        return True

    def _compare_names(self, present: Names | None, accepted: frozenset[Names]) -> None:
        if present == self._present:
            return
        self._present = present
        expected = self._view.expected
        if present is None or present == expected:
            return
        if present in accepted:
            self._notify(
                "renamed",
                f"the issuer's tokens now name the issuer {present.issuer!r} and the audience {present.audience!r}: they are"
                " accepted, as are those with the names of before; expect the new names here",
            )
        else:
            self._notify(
                "other_audience",
                f"the issuer's tokens are for the audience {present.audience!r}, not {expected.audience!r}: all of them are"
                f" refused here; expect the audience {present.audience!r}, or change the issuer's setting `audience`",
            )

    def pong(self, text: str) -> StreamAction:
        """Applies the answer to a ping."""
        view, keys = self._view, self._view.keys
        try:
            pong = Pong.verify(text, keys, keys.names.issuers)
        except FeedRefused as refused:
            return self._refuse(refused, "an answer to a ping", StreamAction.KEEP)
        self._foreign = None
        asked = self._pings.answer(pong.nonce)
        if asked is None:
            # An answer to no question of ours is late or replayed: it says nothing about now.
            return StreamAction.KEEP
        said, action = pong.statement, StreamAction.KEEP
        if view.state.store != said.store:
            action = self._enter(said)
        elif asked.applied is not None and said.head < asked.applied:
            self._roll_back(said.head, asked.applied)
        state = view.state
        state.revoked.begin_era(said.era)
        state.compare_clocks(said.time, asked.sent)
        state.hear_of_keys(said.keys)
        self._pings.keep(Answered(said.head, said.keys, asked.sent))
        self._prove()
        return action

    def frame(self, text: str) -> StreamAction:
        """Applies a frame of the stream."""
        keys = self._view.keys
        try:
            frame = Frame.verify(text, keys, keys.names.issuers)
        except FeedRefused as refused:
            return self._refuse(refused, "a frame", StreamAction.BEGIN)
        self._foreign = None
        if self._view.state.store != frame.statement.store:
            # Which store is the issuer's is for answers to say: a frame of another one may be a replayed one.
            return StreamAction.KEEP
        last = self._last
        if last is not None and any(e.position == last.position and e != last for e in frame.entries):
            self._roll_back(frame.statement.head, last.position)
        applied = self._applied
        if frame.start:
            applied = frame.after if applied is None else max(applied, frame.after)
        elif applied is None or frame.after > applied:
            self._notify("missed", "entries are missing: requesting a snapshot", logging.INFO)
            return StreamAction.BEGIN
        self._applied = applied
        kept = self._apply(entry for entry in frame.entries if entry.position > applied)
        self._prove()
        return StreamAction.KEEP if kept else StreamAction.RESUME

    def _apply(self, entries: Iterable[Entry]) -> bool:
        """Applies entries that continue the log; false if there was no room for one."""
        view, state = self._view, self._view.state
        for entry in entries:
            if len(state.revoked) >= view.max_entries:
                state.left_out = entry.position
                return False
            revocation = entry.revocation
            state.revoked.note(revocation, view.clock.uptime())
            if isinstance(revocation, KeysChanged):
                state.hear_of_keys(revocation.version)
                if revocation.distrusted is not None:
                    view.keys = view.holder.distrust(view.keys, revocation.distrusted)
            self._applied, self._last = entry.position, entry
            notify(view.listener, Event("ended", f"ended: {revocation}", logging.DEBUG, revocation))
        return True

    def _enter(self, said: Statement) -> StreamAction:
        """Begins with another store: the old state is dropped, and tokens are refused until its whole log is applied."""
        view, old = self._view, self._view.state
        view.state = ReplicaState(said.store, max(old.revoked.era, said.era))
        self._applied = self._last = None
        self._rolled_back = False
        self._pings.forget()
        if old.store is not None:
            # Its keys may be others, whatever their version.
            view.keys = view.holder.unconfirmed(view.keys)
            self._notify("store_replaced", f"the issuer's store was replaced by {said.store}", logging.INFO)
        return StreamAction.BEGIN

    def _roll_back(self, head: int, applied: int) -> None:
        if not self._rolled_back:
            self._rolled_back = True
            self._notify(
                "rolled_back",
                f"the issuer's store lost what it had acknowledged: entry {applied} is another one or gone, and its log ends"
                f" at {head}",
                logging.ERROR,
            )

    def _refuse(self, refused: FeedRefused, what: str, action: StreamAction) -> StreamAction:
        """Handles a text that could not be verified; nothing in it is applied."""
        if isinstance(refused, UnknownKey):
            # The keys it is signed with may be newer than ours.
            self._fetch = True
        elif isinstance(refused, OtherIssuer):
            # The name it is signed under may be newer than ours.
            self._fetch = True
            if self._foreign:
                self._refuse_other(refused.found)
            elif self._foreign is None:
                self._foreign = False
        else:
            message = f"{what} is not authentic: something alters it on its way"
            self._notify("altered", message, logging.ERROR)
        return action

    def _refuse_other(self, found: str) -> None:
        self._view.state.doubt_everything()
        message = f"the issuer there calls itself {found!r}: tokens are refused"
        self._notify("other_issuer", message, logging.ERROR)
        self._watch()

    def _prove(self) -> None:
        """Advances the proven time, if everything up to an answer's head has been applied."""
        if self._applied is None:
            return
        self._view.state.reach(self._applied)
        sent = self._pings.proven(self._applied, self._view.keys.version)
        if sent is None:
            return
        if not self._rolled_back:
            self._view.state.prove(sent)
        self._watch()

    def _watch(self) -> None:
        """Reports when freshness is gained or lost."""
        doubt = self._view.doubt()
        if doubt is self._doubt:
            return
        self._doubt = doubt
        if doubt is None:
            self._notify("fresh", "freshness is proven: tokens are accepted", logging.INFO)
        else:
            level = logging.ERROR if doubt in (Doubt.CLOCK, Doubt.FULL) else logging.WARNING
            self._notify("stale", f"{doubt.value}: tokens are refused", level)

    def _forget(self) -> None:
        view, uptime = self._view, self._view.clock.uptime()
        if uptime - self._forgot < _FORGET_EVERY:
            return
        self._forgot = uptime
        view.state.revoked.forget(uptime)
        # By the issuer's time, as far as it is known: not before it has been heard.
        now = view.state.issuer_time(uptime)
        keys = None if now is None else view.holder.at(view.keys, int(now))
        if keys is not None:
            view.keys = keys

    def _notify(self, name: str, message: str, level: int = logging.WARNING) -> None:
        notify(self._view.listener, Event(name, message, level))
