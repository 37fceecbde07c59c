"""The signed texts of the feed: frames of revocations, and answers to pings (pongs).

The format is specified in `src/token/feed.rs` of the service's repository and in its `openapi/feed.json`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from .keys import LONGEST_TOKEN, NotAuthentic, PublicKey, footer_of
from .wire import Members, Unreadable, read_id, read_kid, read_object, read_time

#: The longest frame and the longest pong, in characters; a longer one is not decoded.
LONGEST_FRAME = 64 * 1024
LONGEST_PONG = LONGEST_TOKEN

#: The most entries that a frame may have.
MOST_ENTRIES = 256

#: What keeps these texts and tokens apart, although the same keys sign both.
IMPLICIT_ASSERTION = b"rescind/feed/v1"

#: The largest position that every reader of JSON holds exactly.
_LARGEST_POSITION = 2**53 - 1


class FeedRefused(Exception):
    """The text is not an acceptable frame or pong: too long, altered, or not understood."""


class UnknownKey(FeedRefused):
    """The text names a key that is not in the set, perhaps a newer one."""


class OtherIssuer(FeedRefused):
    """The text is authentic, but of the issuer `found`, another one than expected."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found


@dataclass(frozen=True)
class DeviceEnded:
    """The end of one device."""

    user: str
    device: str


class BumpCause(enum.Enum):
    """Why a user's generation was bumped, where that decides how earlier tokens are refused."""

    #: The password was changed on the device that is kept.
    PASSWORD_CHANGED = "password_changed"
    #: The account is disabled, and no device kept. The user's next bump says whether it still is.
    DISABLED = "disabled"

    @classmethod
    def read(cls, text: str | None, kept: str | None) -> BumpCause | None:
        """The cause, if it is known and fits the device that is kept; any other changes nothing."""
        if text == cls.PASSWORD_CHANGED.value and kept is not None:
            return cls.PASSWORD_CHANGED
        if text == cls.DISABLED.value and kept is None:
            return cls.DISABLED
        return None


@dataclass(frozen=True)
class GenerationBumped:
    """Every token of the user issued under an earlier generation has ended, but for what `kept` says."""

    user: str
    generation: int
    #: The one device that goes on under the new generation.
    kept: str | None
    cause: BumpCause | None


@dataclass(frozen=True)
class EraBegun:
    """Every token of everyone issued in an earlier era has ended."""

    era: int


@dataclass(frozen=True)
class KeysChanged:
    """The set of keys changed; tokens made with the distrusted key have ended."""

    version: int
    distrusted: str | None


Revocation = DeviceEnded | GenerationBumped | EraBegun | KeysChanged


@dataclass(frozen=True)
class Entry:
    """A revocation with its position in the log and the time it was written, in Unix seconds."""

    position: int
    at: int
    revocation: Revocation


@dataclass(frozen=True)
class Statement:
    """What every text says about the issuer and its store."""

    issuer: str
    store: str
    #: The issuer's clock when the text was signed, in Unix seconds.
    time: int
    #: The position of the newest durable entry then.
    head: int
    era: int
    #: The version of the key set.
    keys: int

    @classmethod
    def read(cls, members: Members) -> Statement:
        return cls(
            issuer=members.text("iss"),
            store=members.id("store"),
            time=members.time("time"),
            head=members.counter("head"),
            era=members.counter("era"),
            keys=members.counter("keys_version"),
        )


class KeySet(Protocol):
    """Where a text's key is found."""

    def key_of(self, text: str) -> PublicKey | None: ...


@dataclass(frozen=True)
class Frame:
    """A batch of consecutive entries of the revocation log."""

    statement: Statement
    #: Whether a snapshot begins with this frame.
    start: bool
    #: The position before the first entry.
    after: int
    entries: tuple[Entry, ...]

    @classmethod
    def verify(cls, text: str, keys: KeySet, issuers: frozenset[str]) -> Frame:
        """Reads the text of a frame that one of `issuers` signed. The caller checks that it continues the log."""
        key, members = _open(text, keys, LONGEST_FRAME, "frame")
        try:
            frame = cls._read(members)
        except Unreadable:
            raise FeedRefused("not understood") from None
        if frame.statement.issuer not in issuers:
            raise OtherIssuer(frame.statement.issuer)
        for entry in frame.entries:
            if isinstance(entry.revocation, KeysChanged) and entry.revocation.distrusted == key.kid:
                raise FeedRefused("a key cannot distrust itself")
        return frame

    @classmethod
    def _read(cls, members: Members) -> Frame:
        statement = Statement.read(members)
        after, entries = members.counter("after"), members.take("entries")
        if type(entries) is not list or len(entries) > MOST_ENTRIES or after > _LARGEST_POSITION:
            raise Unreadable
        if after + len(entries) > statement.head:
            raise Unreadable
        read = tuple(_read_entry(position, entry) for position, entry in enumerate(entries, after + 1))
        return cls(statement, members.truth("start"), after, read)


def _read_entry(position: int, members: object) -> Entry:
    if not isinstance(members, Members):
        raise Unreadable
    # Each is read even where its type has no use for it: what is mistyped is refused.
    user, device, kept = (_optional_id(members, name) for name in ("user", "device", "kept"))
    cause = members.text("cause") if "cause" in members else None
    distrusted = read_kid(members.text("distrusted")) if "distrusted" in members else None
    generation, era, version = (
        None if members.get(name) is None and name not in members.repeated else members.counter(name)
        for name in ("generation", "era", "keys_version")
    )
    revocation: Revocation
    match members.text("type"):
        case "device_ended" if user is not None and device is not None:
            revocation = DeviceEnded(user, device)
        case "generation" if user is not None and generation is not None:
            revocation = GenerationBumped(user, generation, kept, BumpCause.read(cause, kept))
        case "era" if era is not None:
            revocation = EraBegun(era)
        case "keys" if version is not None:
            revocation = KeysChanged(version, distrusted)
        case _:
            # It ends something unknown: with it everything is refused.
            raise Unreadable
    return Entry(position, read_time(members.text("at")), revocation)


def _optional_id(members: Members, name: str) -> str | None:
    return read_id(members.text(name)) if name in members else None


@dataclass(frozen=True)
class Pong:
    """The answer to a ping. Its head was read after the ping had arrived."""

    statement: Statement
    nonce: str

    @classmethod
    def verify(cls, text: str, keys: KeySet, issuers: frozenset[str]) -> Pong:
        """Reads the text of a pong that one of `issuers` signed. The caller checks the nonce."""
        _, members = _open(text, keys, LONGEST_PONG, "pong")
        try:
            pong = cls(Statement.read(members), members.text("nonce"))
        except Unreadable:
            raise FeedRefused("not understood") from None
        if pong.statement.issuer not in issuers:
            raise OtherIssuer(pong.statement.issuer)
        return pong


def _open(text: str, keys: KeySet, longest: int, kind: str) -> tuple[PublicKey, Members]:
    """The key that signed the text, and the members of its payload, which has to be of this kind."""
    if len(text) > longest:
        raise FeedRefused("too long")
    if footer_of(text) is None:
        raise FeedRefused("not authentic")
    key = keys.key_of(text)
    if key is None:
        raise UnknownKey
    try:
        members = read_object(key.open(text, IMPLICIT_ASSERTION))
        if members.text("type") != kind:
            raise Unreadable
    except NotAuthentic:
        raise FeedRefused("not authentic") from None
    except Unreadable:
        raise FeedRefused("not understood") from None
    return key, members
