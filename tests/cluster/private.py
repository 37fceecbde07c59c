"""Namespaces of our own: processes, mounts and networks that end with us, also when we are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

#: Everything below dies with the process above it, and with the last process its mounts and networks are gone.
UNSHARE = ["setpriv", "--pdeathsig", "KILL"]
UNSHARE += ["unshare", "--fork", "--kill-child=KILL", "--pid", "--mount-proc", "--mount", "--net"]


def impossible() -> int:
    """Prints why no namespaces can be made here, if so; the status of this program."""
    inner = (
        "mount -t tmpfs tried /run && mkdir /run/netns && ip netns add tried && ip link add tried type bridge"
    )
    tried = subprocess.run([*UNSHARE, "sh", "-c", inner], capture_output=True, text=True, check=False)
    print(tried.stderr.strip())
    return tried.returncode


def enter() -> None:
    """Runs this program again, in namespaces of its own; returns only there."""
    if os.getpid() != 1:
        inside = subprocess.Popen([*UNSHARE, sys.executable, *sys.argv])

        def end(*_: object) -> None:
            inside.kill()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        sys.exit(1 if (status := inside.wait()) < 0 else status)
    # The first process of a namespace inherits the children of those who die, and has to wait for them.
    program = os.fork()
    if program == 0:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        ended, status = os.wait()
        if ended == program:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
