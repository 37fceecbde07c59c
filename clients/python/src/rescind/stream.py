"""Server-sent events, as far as the feed uses them.

By the HTML standard, section 9.2: fields are lines, an empty line ends an event, a colon begins a comment. Only `event` and
`data` are read. Lines and events above the limit are refused before they are stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .errors import IssuerError
from .feed import LONGEST_FRAME

#: The longest line: a frame with `data: ` before it.
_LONGEST_LINE = LONGEST_FRAME + 16

_END = re.compile(rb"[\r\n]")


class SseEvent(NamedTuple):
    """One event of the stream; the name is empty if it has none."""

    name: str
    data: str


class Parser:
    """Turns bytes into events, however they are cut."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._name = ""
        self._data = ""
        self._after_return = False

    def feed(self, chunk: bytes) -> Iterator[SseEvent]:
        """The events that are complete with these bytes."""
        at = 0
        while at < len(chunk):
            if self._after_return and chunk[at : at + 1] == b"\n":
                at += 1
                self._after_return = False
                continue
            self._after_return = False
            found = _END.search(chunk, at)
            end = found.start() if found else len(chunk)
            if len(self._line) + end - at > _LONGEST_LINE:
                raise _too_long()
            self._line += chunk[at:end]
            at = end
            if found:
                self._after_return = found.group() == b"\r"
                at += 1
                event = self._end_line()
                if event is not None:
                    yield event

    def _end_line(self) -> SseEvent | None:
        line, self._line = bytes(self._line), bytearray()
        if not line:
            event, self._name, self._data = SseEvent(self._name, self._data), "", ""
            return event if event.data else None
        try:
            name, _, value = line.decode().partition(":")
        except UnicodeDecodeError:
            raise IssuerError("it answered something that is not text", may_pass=False) from None
        value = value.removeprefix(" ")
        if name == "data":
            if len(self._data) + len(value) > LONGEST_FRAME:
                raise _too_long()
            self._data += value
        elif name == "event":
            self._name = value
        return None


def _too_long() -> IssuerError:
    return IssuerError("it answered something that is not a frame: it is too long", may_pass=False)
