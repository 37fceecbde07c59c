"""The connections to the issuer of the process that uses them: made on first use, and again after a fork."""

from __future__ import annotations

import concurrent.futures
import os
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from .background import Background, background
from .link import Link, ServiceKey

_T = TypeVar("_T")


class ProcessLink:
    """A `Link` on the background thread, for any number of threads and tasks, before and after a fork."""

    def __init__(self, url: str, service_key: str | ServiceKey) -> None:
        """Checks the address and the key; connects nothing yet."""
        self.url = url
        self._key = service_key if isinstance(service_key, ServiceKey) else ServiceKey(service_key)
        Link(url, self._key)
        self._used: tuple[Background, Link] | None = None

    def submit(self, ask: Callable[[Link], Coroutine[Any, Any, _T]]) -> concurrent.futures.Future[_T]:
        """Asks on the background thread."""
        used = self._used
        if used is None or used[0].pid != os.getpid():
            if used is not None:
                _inherited.append(used)
            used = self._used = (background(), Link(self.url, self._key))
            used[0].add(used[1])
            # It keeps the connections until they are closed, also when this goes in a cycle of garbage.
            weakref.finalize(self, _close, *used).atexit = False
        return used[0].submit(ask(used[1]))

    def close(self) -> None:
        """Closes the connections. Another question opens new ones."""
        used, self._used = self._used, None
        if used is not None:
            _close(*used)


# Never released in a forked child: to destroy it would end what its parent still uses.
_inherited: list[tuple[Background, Link]] = []


def _close(thread: Background, link: Link) -> None:
    if thread.pid == os.getpid():
        thread.submit(link.close())
