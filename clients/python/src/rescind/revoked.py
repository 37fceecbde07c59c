"""Recent revocations, by user and device, and the one decision: does a token act for its user?"""

from __future__ import annotations

from typing import NamedTuple

from .claims import LEEWAY, LONGEST_ACCESS, Claims
from .errors import Reason
from .feed import BumpCause, DeviceEnded, EraBegun, GenerationBumped, Revocation

#: How long revocations are kept after their receipt, in seconds: longer than any access token lives, with a margin.
KEPT = LONGEST_ACCESS + LEEWAY + 4 * 60


class Bumped(NamedTuple):
    """What is known of the last bump of a user's generation."""

    generation: int
    kept: str | None
    #: Whether the account is disabled.
    disabled: bool
    #: The generation that began with the last password change on a kept device; zero if none is known.
    floor: int
    #: When it was received, in seconds of uptime.
    heard: float


class RevokedTable:
    """Ended users, devices and eras. Read by any thread, written by one.

    Kept by the time of receipt: the time at which an entry was written comes from a wall clock, and a wrong one must
    not drop an entry.
    """

    def __init__(self, era: int) -> None:
        self.era = era
        self._users: dict[str, Bumped] = {}
        self._devices: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._users) + len(self._devices)

    def judge(self, claims: Claims, now: int) -> Reason | None:
        """The first reason for which an authentic token no longer acts for its user; `None` if it does.

        What is not known here is taken from the token, because the issuer signed it. So one of the generation that
        began when the account was disabled, or of a later one, proves that the account was enabled since.
        """
        if claims.era < self.era:
            return Reason.RESET
        bumped = self._users.get(claims.user)
        if bumped is not None and claims.generation < bumped.generation:
            if bumped.disabled:
                return Reason.USER_DISABLED
            if bumped.kept != claims.device:
                return Reason.SIGNED_OUT_EVERYWHERE
            if claims.generation < bumped.floor:
                return Reason.PASSWORD_CHANGED
            return Reason.SUPERSEDED
        if claims.device in self._devices:
            return Reason.SIGNED_OUT
        if claims.expires <= now:
            return Reason.EXPIRED
        return None

    def begin_era(self, era: int) -> None:
        """Ends every token of an earlier era."""
        self.era = max(self.era, era)

    def note(self, revocation: Revocation, uptime: float) -> None:
        """Adds a revocation received now. A repetition only renews the time of receipt."""
        match revocation:
            case DeviceEnded(device=device):
                self._devices[device] = uptime
            case GenerationBumped(user, generation, kept, cause):
                known = self._users.get(user)
                if known is None or known.generation <= generation:
                    before = known.floor if known is not None else 0
                    floor = generation if cause is BumpCause.PASSWORD_CHANGED else before
                    disabled = cause is BumpCause.DISABLED
                    self._users[user] = Bumped(generation, kept, disabled, floor, uptime)
            case EraBegun(era):
                self.begin_era(era)
            case _:
                pass  # The keys are held elsewhere.

    def forget(self, uptime: float) -> None:
        """Removes revocations so old that every token they ended has expired."""
        for device, heard in list(self._devices.items()):
            if heard + KEPT <= uptime:
                del self._devices[device]
        for user, bumped in list(self._users.items()):
            if bumped.heard + KEPT <= uptime:
                del self._users[user]
