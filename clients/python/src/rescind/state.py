"""The state that `verify` reads: the revocations of one store, and how fresh they are.

Any thread reads it while one writes. Revocations are written before the proof that covers them, and the proof is read
before revocations are looked up.
"""

from __future__ import annotations

from .errors import Doubt
from .revoked import RevokedTable

#: The largest tolerated difference between this clock and the issuer's, in seconds.
CLOCKS_APART = 60.0


class ReplicaState:
    """The state of the copy of one store of the issuer."""

    def __init__(self, store: str | None, era: int) -> None:
        #: The store's id; `None` before the issuer has answered at all.
        self.store = store
        self.revoked = RevokedTable(era)
        #: The uptime before which everything acknowledged is in `revoked`; `None` without a proof.
        self.as_of: float | None = None
        #: The issuer's wall clock minus this machine's uptime; `None` before it is known.
        self.issuer_ahead: float | None = None
        #: The position of the first entry that found no room; zero if all have.
        self.left_out = 0
        #: The version of the newest known key set.
        self.newest_keys = 0

    def doubt(self, wall: float, uptime: float, max_staleness: float) -> Doubt | None:
        """Why freshness is not proven now; `None` if it is."""
        as_of, ahead = self.as_of, self.issuer_ahead
        if self.left_out:
            return Doubt.FULL
        if as_of is None or ahead is None:
            return Doubt.UNPROVEN
        if uptime - as_of > max_staleness:
            return Doubt.LATE
        if abs(wall - uptime - ahead) > CLOCKS_APART:
            return Doubt.CLOCK
        return None

    def issuer_time(self, uptime: float) -> float | None:
        """The issuer's time, in Unix seconds, if its clock is known."""
        return None if self.issuer_ahead is None else self.issuer_ahead + uptime

    def prove(self, sent: float) -> None:
        """Notes that everything acknowledged before `sent` is in `revoked`. An older proof has no effect."""
        self.as_of = sent if self.as_of is None else max(self.as_of, sent)

    def compare_clocks(self, time: int, sent: float) -> None:
        """Notes that the issuer's clock was at `time` some time after the uptime `sent`."""
        self.issuer_ahead = time - sent

    def doubt_everything(self) -> None:
        """Discards the proof."""
        self.as_of = None

    def hear_of_keys(self, version: int) -> None:
        """Notes that a key set of this version exists."""
        self.newest_keys = max(self.newest_keys, version)

    def reach(self, applied: int) -> None:
        """Notes that everything up to this position is in `revoked`, or no longer kept."""
        if applied >= self.left_out:
            self.left_out = 0
