"""The names that accepted tokens may carry: every pair that the expected issuer publishes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Names(NamedTuple):
    """The issuer and the audience that a token carries. They are compared as a pair."""

    issuer: str
    audience: str


class AcceptedNames:
    """The accepted pairs of issuer and audience, at least the expected one."""

    def __init__(self, pairs: Iterable[Names]) -> None:
        self.pairs = frozenset(pairs)
        self.issuers = frozenset(pair.issuer for pair in self.pairs)

    @classmethod
    def published(
        cls, expected: Names, issuer: str, present: Names | None, names: Iterable[Names]
    ) -> AcceptedNames | None:
        """The pairs accepted from the issuer that published these; `None` if that is not the expected issuer.

        If the expected pair is published, every published one is accepted. If only the issuer is as expected, the
        expected pair alone is: an earlier issuer publishes no pairs, and one with another audience issues no token
        for this one.
        """
        pairs = {*names, *([present] if present else [])}
        if expected in pairs:
            return cls(pairs)
        return cls([expected]) if issuer == expected.issuer else None
