"""The threads of a process that uses the package."""

from __future__ import annotations

import subprocess
import sys

from service import Service

USES = """
import os, sys, threading
from rescind import Introspector, Sessions, Verifier

url, key, token = sys.argv[1:]
threads = lambda: len(os.listdir("/proc/self/task"))
counts = [threads()]
verifiers = [Verifier(url, audience="rescind", service_key=key, timeout=30, max_staleness=60) for _ in range(3)]
introspector, sessions = Introspector(url, service_key=key), Sessions(url, service_key=key)
counts.append(threads())

def use():
    for verifier in verifiers:
        verifier.verify(token)
    introspector.verify(token)
    sessions.user("external_id:nobody")

use()
counts.append(threads())
if os.fork() == 0:
    counts = [threads()]
    use()
    counts.append(threads())
    print(*counts)
else:
    os.wait()
    print(*counts)
"""

EVENTLET = """
import eventlet
eventlet.monkey_patch()
from rescind import ConfigurationError, Verifier

try:
    Verifier("http://127.0.0.1:1", audience="rescind", service_key="rescind_sk_x").verify("v4.public.x")
except ConfigurationError as error:
    print(error)
"""


def said(program: str, *words: str) -> list[str]:
    """The lines that a Python program prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_each_process_has_one_background_thread_from_its_first_use_on(shared_service: Service) -> None:
    token = shared_service.register("threads")["access"]
    key = shared_service.service_key("feed", "introspect", "sessions", "admin")
    child, parent = said(USES, shared_service.url, key, token)
    # Before anything is made, then before the first use, then after it.
    assert parent == "1 1 2"
    assert child == "1 2"


def test_threads_of_eventlet_are_refused() -> None:
    (line,) = said(EVENTLET)
    assert line.startswith("eventlet has replaced Python's threads")
    assert "gunicorn -k gthread" in line
