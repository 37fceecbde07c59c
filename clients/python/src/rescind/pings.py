"""Pings: freshness is proven by a nonce, and by applying everything up to the head in its answer.

The issuer reads its head after the ping has arrived, so that head covers whatever was acknowledged before the ping was *sent*.
However late, often or altered an answer arrives, it proves nothing about a later time.
"""

from __future__ import annotations

import secrets
from collections import deque
from typing import NamedTuple

#: The most pings waiting for an answer, and the most answers waiting for their head.
_MOST = 16


class Asked(NamedTuple):
    """A ping that was sent."""

    nonce: str
    #: The uptime at which it was sent.
    sent: float
    #: The position applied then. A lower head in the answer shows a rollback.
    applied: int | None


class Answered(NamedTuple):
    """An answer: with everything up to `head` and keys of this version, freshness at `sent` is proven."""

    head: int
    keys: int
    sent: float


class Pings:
    """The pings and answers in progress."""

    def __init__(self) -> None:
        self._asked: deque[Asked] = deque(maxlen=_MOST)
        self._answered: list[Answered] = []

    def ask(self, sent: float, applied: int | None) -> Asked:
        """Makes a ping. Above the limit the oldest unanswered one is dropped."""
        asked = Asked(secrets.token_urlsafe(16), sent, applied)
        self._asked.append(asked)
        return asked

    def answer(self, nonce: str) -> Asked | None:
        """The ping with this nonce. Each is answered once, and none after a later one."""
        if all(asked.nonce != nonce for asked in self._asked):
            return None
        while True:
            asked = self._asked.popleft()
            if asked.nonce == nonce:
                return asked

    def keep(self, answered: Answered) -> None:
        """Keeps an answer until it proves freshness. Above the limit the new one is dropped, so that a replica that
        is always a little behind still proves some."""
        if len(self._answered) < _MOST:
            self._answered.append(answered)

    def proven(self, applied: int, keys: int) -> float | None:
        """The latest time whose freshness is proven by the applied entries and the keys."""
        met = [answered for answered in self._answered if answered.head <= applied and answered.keys <= keys]
        self._answered = [answered for answered in self._answered if answered not in met]
        return max((answered.sent for answered in met), default=None)

    def behind(self, applied: int | None) -> float | None:
        """When the ping was sent whose answer waits longest for its head to be applied."""
        waiting = (a.sent for a in self._answered if applied is None or a.head > applied)
        return next(waiting, None)

    def forget(self) -> None:
        """Forgets everything, because answers of another store prove nothing."""
        self._asked.clear()
        self._answered.clear()
