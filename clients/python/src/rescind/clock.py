"""The two clocks of a follower."""

from __future__ import annotations

import time

# It counts while the machine sleeps; where there is none, that of `monotonic` does (macOS).
_BOOT: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock:
    """The wall clock, which anybody may set, and one that counts on, also while the machine sleeps."""

    def wall(self) -> float:
        """Unix seconds."""
        return time.time()

    def uptime(self) -> float:
        """Seconds since some moment in the past, which no setting of a clock changes."""
        return time.clock_gettime(_BOOT)
