"""What happens to a verifier, for operators and for applications with open connections of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from .feed import Revocation

log = logging.getLogger("rescind")


@dataclass(frozen=True)
class Event:
    """An event of a verifier.

    `name` is one of `ended` (with the `revocation`, once for each; from then on it is honoured), `fresh`, `stale`,
    `disconnected`, `unanswered`, `altered`, `missed`, `rolled_back`, `store_replaced`, `keys`, `renamed`, `other_issuer`,
    `other_audience` and `unencrypted`.
    """

    name: str
    message: str
    level: int = logging.WARNING
    revocation: Revocation | None = None


Listener = Callable[[Event], None]


def notify(listener: Listener | None, event: Event) -> None:
    """Logs the event and tells the listener."""
    log.log(event.level, "%s", event.message)
    if listener is not None:
        try:
            listener(event)
        except Exception:
            log.exception("on_event failed")
