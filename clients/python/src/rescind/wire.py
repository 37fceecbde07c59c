"""Strict reading of signed JSON: a member that is missing, mistyped or repeated is an error, an unknown one is ignored."""

from __future__ import annotations

import base64
import binascii
import calendar
import json
import re
from collections import Counter
from datetime import datetime
from typing import Any, NoReturn

#: The largest counter, as the issuer stores it.
_LARGEST = 2**64 - 1

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z", re.ASCII)
_KID = re.compile(r"k4\.[pl]id\.[A-Za-z0-9_-]{44}", re.ASCII)


class Unreadable(ValueError):
    """The text is not what was expected. Holds nothing of it."""


class Members(dict[str, Any]):
    """The members of a JSON object, which knows the names that occurred more than once."""

    repeated: frozenset[str] = frozenset()

    @classmethod
    def of_pairs(cls, pairs: list[tuple[str, Any]]) -> Members:
        members = cls(pairs)
        if len(members) != len(pairs):
            counts = Counter(name for name, _ in pairs)
            members.repeated = frozenset(name for name, count in counts.items() if count > 1)
        return members

    def take(self, name: str) -> Any:
        """The value of a member that has to be there once."""
        if name in self.repeated or name not in self:
            raise Unreadable
        return self[name]

    def text(self, name: str) -> str:
        value = self.take(name)
        if type(value) is not str:
            raise Unreadable
        try:
            value.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            raise Unreadable from None
        return value

    def counter(self, name: str) -> int:
        value = self.take(name)
        if type(value) is not int or not 0 <= value <= _LARGEST:
            raise Unreadable
        return value

    def truth(self, name: str) -> bool:
        value = self.take(name)
        if type(value) is not bool:
            raise Unreadable
        return value

    def id(self, name: str) -> str:
        return read_id(self.text(name))

    def time(self, name: str) -> int:
        return read_time(self.text(name))


def read_object(text: str) -> Members:
    """The members of a JSON object."""
    try:
        members = json.loads(text, object_pairs_hook=Members.of_pairs, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Unreadable from None
    if not isinstance(members, Members):
        raise Unreadable
    return members


def _refuse(_: str) -> NoReturn:
    raise Unreadable


def read_id(text: str) -> str:
    """The lower-case form of a hyphenated UUID."""
    if _ID.fullmatch(text) is None:
        raise Unreadable
    return text.lower()


def read_time(text: str) -> int:
    """The Unix seconds of a time of the form `2026-11-22T10:20:12Z`."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise Unreadable
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        return calendar.timegm(datetime(year, month, day, hour, minute, second).timetuple())
    except ValueError:
        raise Unreadable from None


def read_kid(text: str) -> str:
    """A PASERK id: `k4.pid.…` or `k4.lid.…`."""
    if _KID.fullmatch(text) is None:
        raise Unreadable
    return text


def read_base64(text: str) -> bytes:
    """The bytes of base64url without padding, in its one canonical spelling."""
    try:
        encoded = text.encode("ascii")
        decoded = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), b"-_")
    except (UnicodeEncodeError, binascii.Error):
        raise Unreadable from None
    # The decoder skips what is not of the alphabet, and ignores surplus bits.
    if write_base64(decoded).encode() != encoded:
        raise Unreadable
    return decoded


def write_base64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
