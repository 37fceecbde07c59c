"""Access tokens verified where they are used, and refused as soon as they are taken back.

A `Verifier` holds the issuer's public keys and a copy of the revocations of the last 65 minutes. It follows the issuer's
signed feed on a background thread and proves every two seconds or sooner that the copy is fresh.

**A sign-out that the issuer answered at a time T is honoured by every check that starts later than T + `max_staleness`, on the
clock of the machine that checks; a verifier that cannot prove that refuses.** While the connection works it is honoured within
milliseconds. The proof, the assumptions and the behaviour under each failure are those of the service's library in Rust.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import threading
import time
from typing import Any, Literal

from .background import background
from .claims import Claims
from .errors import ConfigurationError, ConnectError, Doubt, IssuerError, NotFresh, Reason, TokenEnded
from .event import Event, Listener, notify
from .link import Link, ServiceKey
from .names import Names
from .replica import ReplicaView
from .replica_task import ReplicaTask

#: The shortest `max_staleness` in seconds: below it an ordinary pause would refuse everybody.
_SHORTEST_STALENESS = 1.0


class _Following:
    """What belongs to one process: the replica, its task and its connections."""

    def __init__(self, view: ReplicaView, link: Link, timeout: float) -> None:
        self.pid = os.getpid()
        self.view = view
        self.link = link
        self.deadline = time.monotonic() + timeout
        self.background = background()
        self.background.add(link)
        self.task = ReplicaTask(view, link)
        self._running: asyncio.Task[None] | None = None
        self.future: concurrent.futures.Future[None] = self.background.submit(self._run())

    async def _run(self) -> None:
        self._running = asyncio.current_task()
        try:
            await self.task.run()
        except Exception as error:
            # A defect here: what cannot be proven fresh any more is refused.
            message = f"following the issuer ended: {error!r}"
            notify(self.view.listener, Event("disconnected", message, logging.CRITICAL))
            raise

    def stop(self) -> None:
        def cancel() -> None:
            if self._running is not None:
                self._running.cancel()

        if self.pid == os.getpid():
            self.background.call(cancel)


class Verifier:
    """A verifier of access tokens, for any number of threads and tasks.

    Nothing is connected before the first use, so one may be made before a server forks its workers; each process follows
    the issuer for itself.
    """

    def __init__(
        self,
        url: str,
        *,
        audience: str,
        service_key: str | ServiceKey,
        issuer: str | None = None,
        max_staleness: float = 10.0,
        when_stale: Literal["refuse", "introspect"] = "refuse",
        max_entries: int = 1_000_000,
        remembered_tokens: int = 16_384,
        timeout: float = 10.0,
        on_event: Listener | None = None,
    ) -> None:
        """
        url: where the issuer answers, `https://HOST`.
        audience: the `aud` of its tokens; with `issuer` it identifies the expected service.
        service_key: with scope `feed`, and `introspect` too for `when_stale="introspect"`.
        issuer: the `iss` of its tokens, if it is not the url.
        max_staleness: the greatest age of the last proof of freshness, in seconds.
        when_stale: past it, `refuse` every token, or `introspect`: ask the issuer about each, which is slower and
            as trustworthy as the connection.
        max_entries: the most ended users and devices in memory, about 300 bytes each; above it every token is refused.
        remembered_tokens: the most tokens whose verified signature is remembered, about 1 KiB each.
        timeout: how long the first use waits for the first proof, in seconds.
        on_event: told of every `Event`, on the background thread; it must not block.
        """
        if not isinstance(audience, str) or not audience:
            raise ConfigurationError(
                "no audience: name the one that the issuer's tokens for this service carry"
            )
        if max_staleness < _SHORTEST_STALENESS:
            raise ConfigurationError(f"max_staleness is too short: {_SHORTEST_STALENESS:.0f} s is the least")
        if when_stale not in ("refuse", "introspect"):
            raise ConfigurationError("when_stale is neither 'refuse' nor 'introspect'")
        if max_entries < 1 or remembered_tokens < 1:
            raise ConfigurationError("max_entries and remembered_tokens have to be at least 1")
        self._url = url
        self._key = service_key if isinstance(service_key, ServiceKey) else ServiceKey(service_key)
        base = Link(url, self._key).base
        self._expected = Names(issuer if issuer is not None else base, audience)
        self._max_staleness = max_staleness
        self._asks = when_stale == "introspect"
        self._max_entries = max_entries
        self._remembered_tokens = remembered_tokens
        self._timeout = timeout
        self._listener = on_event
        self._following: _Following | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"Verifier({self._url!r})"

    def verify(self, token: str) -> Claims:
        """The claims of an access token that acts for its user; else raises `Rejected`.

        Reads only memory, but for two cases: the first use in a process waits for the first proof, for at most
        `timeout` and never on the thread of a running event loop; and with `when_stale="introspect"` a token whose
        freshness is not proven costs a request.
        """
        following = self._following
        if following is None or following.pid != os.getpid():
            following = self._follow()
        if not following.task.tried.is_set():
            self._wait(following)
        claims, rejection = following.view.examine(token)
        if rejection is None and claims is not None:
            return claims
        if self._asks and isinstance(rejection, NotFresh) and claims is not None and not _is_in_event_loop():
            asked = following.background.submit(following.link.introspect(token))
            return self._asked(following, claims, rejection, _result(asked))
        raise rejection or NotFresh(Doubt.UNPROVEN)

    async def averify(self, token: str) -> Claims:
        """`verify` for asynchronous code: waits without blocking the event loop."""
        following = self._following
        if following is None or following.pid != os.getpid() or not following.task.tried.is_set():
            await asyncio.to_thread(self._ready)
            following = self._follow()
        claims, rejection = following.view.examine(token)
        if rejection is None and claims is not None:
            return claims
        if self._asks and isinstance(rejection, NotFresh) and claims is not None:
            asked = following.background.submit(following.link.introspect(token))
            try:
                answer: dict[str, Any] | IssuerError = await asyncio.wrap_future(asked)
            except IssuerError as error:
                answer = error
            return self._asked(following, claims, rejection, answer)
        raise rejection or NotFresh(Doubt.UNPROVEN)

    def _asked(
        self, following: _Following, claims: Claims, stale: NotFresh, answer: dict[str, Any] | IssuerError
    ) -> Claims:
        if isinstance(answer, IssuerError):
            message = f"a request to the issuer failed: {answer}"
            notify(following.view.listener, Event("unanswered", message))
            raise stale
        if answer["active"]:
            return claims
        # The answer has no reason (RFC 7662): a refresh tells it.
        raise TokenEnded(Reason.SUPERSEDED)

    def connect(self) -> None:
        """Waits until freshness is proven; raises `ConnectError` if that does not happen within `timeout`."""
        self._ready()
        following = self._follow()
        doubt = following.view.doubt()
        if doubt is not None:
            message = f"freshness was not proven within {self._timeout:g} s: {doubt.value}"
            raise following.task.failure or ConnectError(message, may_pass=True)

    def close(self) -> None:
        """Ends the connection. From then on every token is refused."""
        following, self._closed, self._asks = self._following, True, False
        if following is not None:
            following.stop()
            following.view.state.doubt_everything()

    def __enter__(self) -> Verifier:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        following = getattr(self, "_following", None)
        if following is not None:
            with contextlib.suppress(Exception):
                following.stop()

    @property
    def doubt(self) -> Doubt | None:
        """Why tokens are refused as stale now; `None` while freshness is proven."""
        following = self._following
        return Doubt.UNPROVEN if following is None else following.view.doubt()

    @property
    def lag(self) -> float | None:
        """The seconds since the moment up to which every sign-out is known; `None` without a proof."""
        following = self._following
        return None if following is None else following.view.lag()

    @property
    def entries(self) -> int:
        """The number of ended users and devices in memory."""
        following = self._following
        return 0 if following is None else len(following.view.state.revoked)

    def _ready(self) -> None:
        following = self._follow()
        following.task.tried.wait(max(0.0, following.deadline - time.monotonic()))

    def _wait(self, following: _Following) -> None:
        left = following.deadline - time.monotonic()
        if left > 0 and not _is_in_event_loop():
            following.task.tried.wait(left)

    def _follow(self) -> _Following:
        """What follows the issuer in this process, started if nothing does."""
        with _starting():
            following = self._following
            if following is None or following.pid != os.getpid():
                if self._closed:
                    raise NotFresh(Doubt.UNPROVEN)
                view = ReplicaView(
                    self._expected,
                    max_staleness=self._max_staleness,
                    max_entries=self._max_entries,
                    remembered_tokens=self._remembered_tokens,
                    listener=self._listener,
                )
                if following is not None:
                    _inherited.append(following)
                following = _Following(view, Link(self._url, self._key), self._timeout)
                self._following = following
            return following


# Never released in a forked child: to destroy it would end what its parent still runs.
_inherited: list[_Following] = []

_lock = threading.Lock()


def _starting() -> threading.Lock:
    return _lock


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _result(asked: concurrent.futures.Future[dict[str, Any]]) -> dict[str, Any] | IssuerError:
    try:
        return asked.result()
    except IssuerError as error:
        return error
