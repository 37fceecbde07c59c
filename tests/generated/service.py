"""The real service as a process, with a folder of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

BINARY = os.environ.get("RESCIND", str(Path(__file__).parents[2] / "target/debug/rescind"))


class Service:
    """A service on a port that the system chose, from `with` to its end."""

    def __enter__(self) -> Service:
        self._folder = tempfile.TemporaryDirectory()
        listen = ["--listen", "127.0.0.1:0", "--metrics-listen", "off"]
        self._err = Path(self._folder.name, "err").open("w+", encoding="utf-8")
        self._child = subprocess.Popen(
            [BINARY, "serve", *listen],
            cwd=self._folder.name,
            stdout=subprocess.PIPE,
            stderr=self._err,
            text=True,
        )
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line.startswith("listening on "):
            self._err.seek(0)
            raise AssertionError(f"the service did not start: {line}{self._err.read()}")
        self.url = line.removeprefix("listening on ").strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.wait()
        assert self._child.stdout is not None
        self._child.stdout.close()
        self._err.close()
        self._folder.cleanup()
