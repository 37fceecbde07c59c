"""The task that exchanges texts with the issuer for a replica. It decides nothing about tokens.

A broken stream is opened again after an exponential back-off with jitter, so that a restarted issuer does not receive all
followers at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import threading
import time
from collections.abc import Coroutine
from typing import Any

from .errors import ConnectError, IssuerError
from .event import Event, notify
from .keys import PublishedKeys
from .link import Link
from .pings import Asked
from .replica import Replica, ReplicaView, StreamAction
from .stream import SseEvent
from .wire import Unreadable

#: The interval of pings in seconds, unless `max_staleness` requires a shorter one.
PING_EVERY = 2.0

#: The most pings waiting for an answer at once.
_MOST_PINGS = 4

#: A stream counts as dead after this many ping intervals without a helpful event, while an answer's head has not
#: arrived for as long.
_DEAD_AFTER_PINGS = 2

#: The time limit for a stream's first event, in seconds.
_OPENING = 10.0

#: The first and the longest wait before a retry, in seconds.
_WAIT = (0.1, 3.0)


class RetryWait:
    """An exponential back-off: the number of failures so far."""

    def __init__(self) -> None:
        self.failures = 0

    def longer(self) -> None:
        self.failures = min(self.failures + 1, 8)

    def reset(self) -> None:
        self.failures = 0

    def seconds(self) -> float:
        """A random time between half and all of the wait."""
        most: float = min(_WAIT[0] * 2**self.failures, _WAIT[1])
        return most * random.uniform(0.5, 1)


class ReplicaTask:
    """Follows the issuer for ever; stops when cancelled."""

    def __init__(self, view: ReplicaView, link: Link) -> None:
        self._view = view
        self._link = link
        self._replica = Replica(view)
        #: Set with the first proof of freshness, and when the first attempt failed for good.
        self.tried = threading.Event()
        #: Why the issuer cannot be followed; `None` once it is.
        self.failure: ConnectError | None = None
        # The follower's id on this stream, from the issuer's `hello`.
        self._follower: str | None = None
        self._ping_every = min(PING_EVERY, view.max_staleness / 4)
        self._ping_now = asyncio.Event()
        self._keys_wanted = asyncio.Event()
        # Asks the reader of the stream to open it again.
        self._reopen: asyncio.Future[StreamAction] | None = None
        # When the last helpful event arrived; in the future while the stream is being opened.
        self._heard = 0.0
        self._pings: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        try:
            if self._link.is_exposed:
                message = (
                    f"{self._link.base} is plain HTTP to another machine: anybody on the network path can read the service"
                    " key and replace the public keys, and so make tokens that are accepted here; use https://"
                )
                self._notify(Event("unencrypted", message))
            await self._begin()
            parts = [self._follow_stream(), self._keep_pinging(), self._keep_keys()]
            await _all(parts)
        finally:
            self.tried.set()
            for ping in self._pings:
                ping.cancel()
            if self._pings:
                await asyncio.wait(self._pings)
            with contextlib.suppress(Exception):
                await self._link.close()

    async def _begin(self) -> None:
        """Finds out who the issuer is; tries until that works."""
        wait, said = RetryWait(), ""
        while True:
            try:
                await self._meet()
            except ConnectError as error:
                self.failure = error
                if not error.may_pass:
                    self.tried.set()
                message = f"cannot follow {self._link.base}: {error}"
                if message != said:
                    said = message
                    level = logging.WARNING if error.may_pass else logging.ERROR
                    self._notify(Event("unanswered", message, level))
                await asyncio.sleep(wait.seconds())
                wait.longer()
            else:
                self.failure = None
                return

    async def _meet(self) -> None:
        replica, expected = self._replica, self._view.expected
        try:
            published = await self._link.keys()
            if not replica.publish(published):
                raise ConnectError(
                    f"the issuer at this address is {published.issuer!r}, not {expected.issuer!r}: if that is right, set"
                    " `issuer`",
                    may_pass=False,
                )
            replica.pong(await self._link.ping(replica.ask(), None))
        except IssuerError as error:
            raise ConnectError(str(error), may_pass=error.may_pass) from None
        except Unreadable:
            raise ConnectError("it answered something that is not a list of keys", may_pass=False) from None
        if not replica.knows_store:
            message = "the issuer's answers are not authentic: something alters them on their way"
            raise ConnectError(message, may_pass=False)

    # ---- the stream -------------------------------------------------------------------------------------------------

    async def _follow_stream(self) -> None:
        wait, start, last = RetryWait(), 0.0, None
        while True:
            self._heard = time.monotonic() + start + _OPENING
            self._reopen = asyncio.get_running_loop().create_future()
            opened: list[float] = []
            reading = asyncio.create_task(self._read_stream(last, start, opened))
            try:
                await asyncio.wait({reading, self._reopen}, return_when=asyncio.FIRST_COMPLETED)
                action = self._reopen.result() if self._reopen.done() else reading.result()
            finally:
                reading.cancel()
                await asyncio.wait({reading})
            self._follower = None
            last = None if action is StreamAction.BEGIN else self._replica.resume
            # It starts again after a stream that outlasted the longest wait.
            if opened and time.monotonic() - opened[0] >= _WAIT[1]:
                wait.reset()
            start = wait.seconds()
            wait.longer()

    async def _read_stream(self, last: int | None, start: float, opened: list[float]) -> StreamAction:
        await asyncio.sleep(start)
        try:
            async with contextlib.aclosing(self._link.stream(last)) as events:
                async for event in events:
                    action = self._handle(event, opened)
                    if action is not StreamAction.KEEP:
                        return action
        except IssuerError as error:
            if error.gone:
                return StreamAction.BEGIN
            self._notify(Event("disconnected", f"the feed was interrupted: {error}"))
        return StreamAction.RESUME

    def _handle(self, event: SseEvent, opened: list[float]) -> StreamAction:
        match event.name:
            case "hello":
                self._heard = time.monotonic()
                opened.append(self._heard)
                with contextlib.suppress(ValueError, AttributeError):
                    follower = json.loads(event.data).get("follower")
                    self._follower = follower if isinstance(follower, str) else None
            case "ping":
                # Somebody waits for all followers.
                self._ping_now.set()
            case "frame":
                action = self._replica.frame(event.data)
                self._look()
                if action is StreamAction.KEEP:
                    self._heard = time.monotonic()
                return action
        return StreamAction.KEEP

    def _open_again(self, action: StreamAction) -> None:
        if action is not StreamAction.KEEP and self._reopen is not None and not self._reopen.done():
            self._reopen.set_result(action)

    # ---- pings ------------------------------------------------------------------------------------------------------

    async def _keep_pinging(self) -> None:
        while True:
            if len(self._pings) < _MOST_PINGS:
                ping = asyncio.create_task(self._ping(self._replica.ask()))
                self._pings.add(ping)
                ping.add_done_callback(self._pings.discard)
            # One that is only just being opened is given its time: else none would ever be open.
            dead_after = self._ping_every * _DEAD_AFTER_PINGS
            if time.monotonic() - self._heard > dead_after and self._replica.is_behind(dead_after):
                self._open_again(StreamAction.RESUME)
            with contextlib.suppress(asyncio.TimeoutError):
                # A little less each time, so that followers that started together do not stay so.
                await asyncio.wait_for(self._ping_now.wait(), self._ping_every * random.uniform(0.875, 1))
            self._ping_now.clear()

    async def _ping(self, asked: Asked) -> None:
        try:
            text = await self._link.ping(asked, self._follower)
        except IssuerError as error:
            self._notify(Event("unanswered", f"a request to the issuer failed: {error}"))
            return
        action = self._replica.pong(text)
        self._look()
        self._open_again(action)

    # ---- keys -------------------------------------------------------------------------------------------------------

    async def _keep_keys(self) -> None:
        wait = RetryWait()
        while True:
            if not self._replica.wants_keys:
                self._keys_wanted.clear()
                await self._keys_wanted.wait()
            try:
                published: PublishedKeys = await self._link.keys()
                self._replica.publish(published)
            except IssuerError as error:
                self._notify(Event("unanswered", f"a request to the issuer failed: {error}"))
            except Unreadable:
                message = "a request to the issuer failed: it answered something that is not a list of keys"
                self._notify(Event("unanswered", message))
            self._look()
            # An answer may be older than what is wanted: a cache gave it. It is asked for again, but not at once.
            if self._replica.wants_keys:
                wait.longer()
            else:
                wait.reset()
            await asyncio.sleep(wait.seconds())

    def _look(self) -> None:
        """Notes what has changed with the text that was applied last."""
        if not self.tried.is_set() and self._view.doubt() is None:
            self.tried.set()
        if self._replica.wants_keys:
            self._keys_wanted.set()

    def _notify(self, event: Event) -> None:
        notify(self._view.listener, event)


async def _all(parts: list[Coroutine[Any, Any, None]]) -> None:
    """Runs the parts; when one ends, by an error or because this is cancelled, the others end too."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
