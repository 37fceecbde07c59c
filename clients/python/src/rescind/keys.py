"""The public keys that tokens are verified with, the names they must carry, and the cache of verified tokens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .claims import Claims, read_access
from .names import AcceptedNames, Names
from .wire import Unreadable, read_base64, read_kid, read_time, write_base64

#: The longest token, in characters; a longer one is not decoded.
LONGEST_TOKEN = 2048

_HEADER = "v4.public."
_SIGNATURE = 64

# Edwards25519: the field, the curve's constant, and the y of every point of small order.
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_Y8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_SMALL_ORDER = frozenset((0, 1, _P - 1, _Y8, _P - _Y8))


class NotAuthentic(Exception):
    """The text is not signed with a key of the set."""


class OtherNames(Exception):
    """The token is authentic, but carries names that are not accepted."""

    def __init__(self, issued: int) -> None:
        super().__init__()
        self.issued = issued


class PublicKey:
    """An Ed25519 public key with its PASERK id and the footer of the texts that it signed."""

    def __init__(self, paserk: str) -> None:
        """Reads a PASERK line `k4.public.…`; raises `Unreadable` for any other text and for a weak key."""
        head, _, body = paserk.rpartition(".")
        key = read_base64(body)
        if head != "k4.public" or len(key) != 32 or not _is_sound(key):
            raise Unreadable
        digest = hashlib.blake2b(b"k4.pid." + paserk.encode(), digest_size=33).digest()
        self.kid = "k4.pid." + write_base64(digest)
        self._footer = f'{{"kid":"{self.kid}"}}'.encode()
        #: The last part of every text signed with this key.
        self.footer = write_base64(self._footer)
        self._key = Ed25519PublicKey.from_public_bytes(key)

    def open(self, text: str, assertion: bytes) -> str:
        """The payload of a PASETO `v4.public` text with exactly this footer and assertion."""
        end = f".{self.footer}"
        if not (text.startswith(_HEADER) and text.endswith(end)):
            raise NotAuthentic
        try:
            signed = read_base64(text[len(_HEADER) : -len(end)])
            payload, signature = signed[:-_SIGNATURE], signed[-_SIGNATURE:]
            if len(signature) != _SIGNATURE:
                raise NotAuthentic
            self._key.verify(signature, encode_pieces(_HEADER.encode(), payload, self._footer, assertion))
            return payload.decode()
        except (Unreadable, InvalidSignature, UnicodeDecodeError):
            raise NotAuthentic from None


def encode_pieces(*pieces: bytes) -> bytes:
    """PASETO's pre-authentication encoding: the number of pieces, then each after its length."""
    lengths = (len(piece).to_bytes(8, "little") + piece for piece in pieces)
    return len(pieces).to_bytes(8, "little") + b"".join(lengths)


def _is_sound(key: bytes) -> bool:
    """Whether the bytes are a point of the curve, and not one of small order, for which anybody can sign."""
    y = (int.from_bytes(key, "little") & (2**255 - 1)) % _P
    numerator, denominator = y * y - 1, _D * y * y + 1
    square = numerator * pow(denominator, -1, _P) % _P
    return y not in _SMALL_ORDER and pow(square, (_P - 1) // 2, _P) in (0, 1)


def footer_of(text: str) -> str | None:
    """The footer of a text that has exactly four parts."""
    parts = text.split(".", 4)
    return parts[3] if len(parts) == 4 else None


def named_kid(token: str) -> str | None:
    """The key id that a token names, whether the key is known or not."""
    footer = footer_of(token) if len(token) <= LONGEST_TOKEN else None
    if footer is None:
        return None
    try:
        text = read_base64(footer).decode()
        if not (text.startswith('{"kid":"') and text.endswith('"}')):
            return None
        return read_kid(text[8:-2])
    except ValueError:
        return None


class SeenTokens:
    """The claims of tokens whose signature was verified, by their whole text.

    Bounded: of two halves the older is dropped when the newer is full, and what is found in the older moves up. Used
    by any thread; the worst that threads do to each other is that a token is verified once more.
    """

    def __init__(self, tokens: int) -> None:
        self._half = max(1, tokens // 2)
        self._newer: dict[str, Claims] = {}
        self._older: dict[str, Claims] = {}

    def recall(self, token: str) -> Claims | None:
        claims = self._newer.get(token)
        if claims is None:
            claims = self._older.get(token)
            if claims is not None:
                self.remember(token, claims)
        return claims

    def remember(self, token: str, claims: Claims) -> None:
        newer = self._newer
        if len(newer) >= self._half:
            self._older, self._newer = newer, {}
            newer = self._newer
        newer[token] = claims

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)


@dataclass(frozen=True)
class PublishedKeys:
    """The document at `/.well-known/paserk`, with the members that a verifier needs."""

    issuer: str
    #: The names in tokens issued now; an earlier issuer does not publish its audience.
    present: Names | None
    names: tuple[Names, ...]
    version: int
    #: Each key's id, state, PASERK line and end.
    keys: tuple[tuple[str, str, str, int | None], ...]
    distrusted: tuple[str, ...]

    @classmethod
    def read(cls, document: Any) -> PublishedKeys:
        """Reads the parsed JSON; raises `Unreadable` if a member is missing or mistyped."""
        try:
            issuer, audience = _text(document["issuer"]), document.get("audience")
            pairs = document.get("names", [])
            version = document["version"]
            if type(version) is not int or version < 0:
                raise Unreadable
            return cls(
                issuer=issuer,
                present=None if audience is None else Names(issuer, _text(audience)),
                names=tuple(Names(_text(pair["issuer"]), _text(pair["audience"])) for pair in pairs),
                version=version,
                keys=tuple(
                    (_text(key["kid"]), _text(key["state"]), _text(key["public"]), _end(key.get("not_after")))
                    for key in document["keys"]
                ),
                distrusted=tuple(_text(kid) for kid in document.get("distrusted", [])),
            )
        except (KeyError, TypeError, AttributeError):
            raise Unreadable from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Unreadable
    return value


def _end(value: Any) -> int | None:
    if value is None:
        return None
    try:
        return read_time(_text(value))
    except Unreadable:
        return None


@dataclass(frozen=True)
class ReplicaKeys:
    """One version of the key set. Never changed: another takes its place."""

    #: The version of the set; zero before the issuer published one.
    version: int
    #: The keys by footer, as it stands in a signed text.
    public: dict[str, PublicKey]
    names: AcceptedNames
    #: When retired keys end, by footer: no token they signed lives longer.
    ends: dict[str, int]
    distrusted: frozenset[str]
    #: Shared with the next set, unless that lacks a key or a name of this one.
    seen: SeenTokens = field(compare=False)

    def verify(self, token: str) -> Claims:
        """The claims of an authentic token with accepted names, from the cache or by verifying its signature."""
        claims = self.seen.recall(token)
        if claims is not None:
            return claims
        if len(token) > LONGEST_TOKEN:
            raise NotAuthentic
        key = self.key_of(token)
        if key is None:
            raise NotAuthentic
        try:
            claims = read_access(key.open(token, b""))
        except Unreadable:
            raise NotAuthentic from None
        if (claims.issuer, claims.audience) not in self.names.pairs:
            raise OtherNames(claims.issued)
        self.seen.remember(token, claims)
        return claims

    def key_of(self, text: str) -> PublicKey | None:
        """The key with exactly the footer of the text."""
        footer = footer_of(text)
        return None if footer is None else self.public.get(footer)

    def may_lack_the_key_of(self, token: str) -> bool:
        """Whether a newer set may accept the token: its key is neither in this set nor distrusted."""
        kid = named_kid(token)
        if kid is None or kid in self.distrusted:
            return False
        return all(key.kid != kid for key in self.public.values())


class KeyHolder:
    """The source of key sets, which remembers distrusted keys for ever, whatever an outdated answer lists."""

    def __init__(self, remembered_tokens: int, expected: Names) -> None:
        self._remembered_tokens = remembered_tokens
        self._expected = expected
        self._distrusted: set[str] = set()

    def none(self) -> ReplicaKeys:
        """A set without keys, for which no token is authentic."""
        return self._set(0, {}, AcceptedNames([self._expected]), {}, None)

    def publish(self, current: ReplicaKeys, published: PublishedKeys) -> ReplicaKeys | None:
        """The published keys without the distrusted ones; `None` if another issuer published them.

        A key that does not match its id is left out.
        """
        names = AcceptedNames.published(self._expected, published.issuer, published.present, published.names)
        if names is None:
            return None
        self._distrusted.update(published.distrusted)
        self._distrusted.update(kid for kid, state, _, _ in published.keys if state == "distrusted")
        public: dict[str, PublicKey] = {}
        ends: dict[str, int] = {}
        for kid, state, line, end in published.keys:
            if state not in ("next", "active", "retired") or kid in self._distrusted:
                continue
            try:
                key = PublicKey(line)
            except Unreadable:
                continue
            if key.kid == kid:
                public[key.footer] = key
                if end is not None:
                    ends[key.footer] = end
        keeps_all = current.public.keys() <= public.keys() and current.names.pairs <= names.pairs
        return self._set(published.version, public, names, ends, current.seen if keeps_all else None)

    def distrust(self, current: ReplicaKeys, kid: str) -> ReplicaKeys:
        """The keys of `current` without the distrusted one."""
        self._distrusted.add(kid)
        public = {footer: key for footer, key in current.public.items() if key.kid != kid}
        return self._set(current.version, public, current.names, current.ends, None)

    def unconfirmed(self, current: ReplicaKeys) -> ReplicaKeys:
        """The keys of `current`, with version zero until they are published again."""
        return self._set(0, current.public, current.names, current.ends, None)

    def at(self, current: ReplicaKeys, now: int) -> ReplicaKeys | None:
        """The keys of `current` without those that have ended at `now`; `None` if none has."""
        ends = {footer: end for footer, end in current.ends.items() if end > now}
        if len(ends) == len(current.ends):
            return None
        ended = current.ends.keys() - ends.keys()
        public = {footer: key for footer, key in current.public.items() if footer not in ended}
        return self._set(current.version, public, current.names, ends, None)

    def _set(
        self,
        version: int,
        public: dict[str, PublicKey],
        names: AcceptedNames,
        ends: dict[str, int],
        seen: SeenTokens | None,
    ) -> ReplicaKeys:
        seen = seen if seen is not None else SeenTokens(self._remembered_tokens)
        return ReplicaKeys(version, public, names, ends, frozenset(self._distrusted), seen)
