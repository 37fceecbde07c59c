"""The one background thread of a process, which does all I/O of this package.

It is started on first use. A child process that was forked has none of its parent's threads: it starts one of its own, and
leaves the connections that it inherited alone.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import os
import selectors
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from .errors import ConfigurationError
from .link import Link

_T = TypeVar("_T")

# `poll` keeps the descriptors in this process alone. With `epoll` they are in a kernel object that a forked child shares:
# whatever the child cleaned up would be cleaned up in its parent.
_Selector = getattr(selectors, "PollSelector", selectors.DefaultSelector)


class Background:
    """A thread with an event loop."""

    def __init__(self) -> None:
        _refuse_in_uwsgi()
        _refuse_green_threads()
        self.pid = os.getpid()
        self._selector: selectors.BaseSelector = _Selector()
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._links: weakref.WeakSet[Link] = weakref.WeakSet()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._run, name="rescind", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, _T]) -> concurrent.futures.Future[_T]:
        """Runs a coroutine on the thread."""
        done: concurrent.futures.Future[_T] = concurrent.futures.Future()

        def start() -> None:
            if not done.set_running_or_notify_cancel():
                work.close()
                return
            task = self._loop.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(lambda task: self._finish(task, done))

        try:
            self._loop.call_soon_threadsafe(start)
        except RuntimeError:  # the loop is closed: the process ends
            work.close()
            done.cancel()
        return done

    def add(self, link: Link) -> None:
        """Notes whose connections a forked child would inherit."""
        self._links.add(link)

    def call(self, function: Callable[[], None]) -> None:
        """Calls a function on the thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(function)

    def _finish(self, task: asyncio.Task[_T], done: concurrent.futures.Future[_T]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            done.set_exception(concurrent.futures.CancelledError())
        elif (error := task.exception()) is not None:
            done.set_exception(error)
        else:
            done.set_result(task.result())

    def _run(self) -> None:
        try:
            self._loop.run_forever()
            # Each ends the tasks that it has started.
            tasks = set(self._tasks)
            for task in tasks:
                task.cancel()
            if tasks:
                self._loop.run_until_complete(asyncio.wait(tasks, timeout=1))
        finally:
            self._loop.close()

    def stop(self) -> None:
        """Closes every connection; waits at most two seconds."""
        self.call(self._loop.stop)
        self._thread.join(2)

    def disown(self) -> None:
        """Gives up what a forked child inherited.

        A connection ends when its parent closes it, and not when the last child does; and whatever the child still
        writes to it goes nowhere.
        """
        descriptors = {number for number in self._selector.get_map() if isinstance(number, int)}
        descriptors.update(number for link in self._links for number in link.descriptors())
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                os.dup2(nowhere, descriptor, inheritable=False)
        os.close(nowhere)


_lock = threading.Lock()
_current: Background | None = None
# Never released: to destroy them would run what their parent still runs.
_inherited: list[Background] = []


def background() -> Background:
    """The thread of this process, started if there is none."""
    global _current
    with _lock:
        if _current is None or _current.pid != os.getpid():
            _current = Background()
        return _current


def _after_fork_in_child() -> None:
    global _lock, _current
    _lock = threading.Lock()
    if _current is not None:
        _current.disown()
        _inherited.append(_current)
        _current = None


def _at_exit() -> None:
    if _current is not None and _current.pid == os.getpid():
        _current.stop()


def _refuse_in_uwsgi() -> None:
    """uWSGI hands its own module to Python, and forks without holding Python's lock."""
    uwsgi = sys.modules.get("uwsgi")
    options = getattr(uwsgi, "opt", None)
    if uwsgi is None or options is None:
        return
    if not options.get("enable-threads") and not options.get("threads"):
        raise ConfigurationError("uWSGI runs no background threads: set `enable-threads = true`")
    if uwsgi.masterpid() == os.getpid():
        # A worker that is forked while a thread of the master runs Python waits for that thread, which it lacks, for ever.
        raise ConfigurationError(
            "uWSGI's master may have no threads: use the verifier in a worker, or set `lazy-apps = true`"
        )


def _refuse_green_threads() -> None:
    """gevent and eventlet make threads into tasks of one thread, where a second event loop can only be in the way.

    Django's database refuses to work beside it, and on a thread of the system gevent's own `select` crashes.
    """
    gevent, eventlet = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    for name, is_patched in [
        ("gevent", gevent is not None and gevent.is_module_patched("threading")),
        ("eventlet", eventlet is not None and eventlet.is_monkey_patched("thread")),
    ]:
        if is_patched:
            raise ConfigurationError(
                f"{name} has replaced Python's threads, and an issuer cannot be followed without one: use workers with threads"
                " (`gunicorn -k gthread`), or `rescind guard` in front and GuardHeaders (in Django MODE 'guard')"
            )


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
