"""Tokens verified by asking the issuer about each (RFC 7662): always current, and a request each time."""

from __future__ import annotations

import asyncio
import concurrent.futures
from dataclasses import dataclass
from typing import Any

from .claims import Claims
from .errors import Doubt, IssuerError, NotFresh, Reason, TokenEnded, TokenInvalid
from .event import log
from .keys import LONGEST_TOKEN, footer_of
from .link import ServiceKey
from .process_link import ProcessLink
from .wire import Unreadable, read_id


@dataclass(frozen=True)
class Introspected:
    """What the issuer says about an active access token."""

    claims: Claims
    username: str


class Introspector:
    """Asks the issuer about tokens, for any number of threads and tasks, before and after a fork."""

    def __init__(self, url: str, *, service_key: str | ServiceKey) -> None:
        """
        url: where the issuer answers, `https://HOST`. Its answers are not signed: use https across a network.
        service_key: with scope `introspect`.
        """
        self._link = ProcessLink(url, service_key)

    def __repr__(self) -> str:
        return f"Introspector({self._link.url!r})"

    def close(self) -> None:
        """Closes the connections. Another question opens new ones."""
        self._link.close()

    def verify(self, token: str) -> Claims:
        """The claims of an access token that acts for its user; else raises `Rejected`. Blocks for a request."""
        return self.introspect(token).claims

    async def averify(self, token: str) -> Claims:
        """`verify` for asynchronous code."""
        return _read(await self._answer(asyncio.wrap_future(self._ask(token)))).claims

    def introspect(self, token: str) -> Introspected:
        """The claims of an active access token, and the name of its user."""
        try:
            return _read(self._ask(token).result())
        except IssuerError as error:
            raise _unanswered(error) from None

    async def _answer(self, asked: asyncio.Future[dict[str, Any]]) -> dict[str, Any]:
        try:
            return await asked
        except IssuerError as error:
            raise _unanswered(error) from None

    def _ask(self, token: str) -> concurrent.futures.Future[dict[str, Any]]:
        # What cannot be an access token costs no request.
        if len(token) > LONGEST_TOKEN or not token.startswith("v4.public.") or footer_of(token) is None:
            raise TokenInvalid
        return self._link.submit(lambda link: link.introspect(token))


def _unanswered(error: IssuerError) -> NotFresh:
    log.log(30 if error.may_pass else 40, "an introspection failed: %s", error)
    return NotFresh(Doubt.UNANSWERED)


def _read(answer: dict[str, Any]) -> Introspected:
    if answer["active"] is not True:
        # The answer has no reason: a refresh tells it.
        raise TokenEnded(Reason.SUPERSEDED)
    if answer.get("token_type") != "Bearer":
        raise TokenInvalid
    try:
        claims = Claims(
            user=read_id(answer["sub"]),
            device=read_id(answer["sid"]),
            generation=_number(answer["gen"]),
            era=_number(answer["era"]),
            issuer=str(answer["iss"]),
            audience=str(answer["aud"]),
            issued=_number(answer["iat"]),
            expires=_number(answer["exp"]),
            authenticated=_number(answer["auth_time"]),
        )
        return Introspected(claims, str(answer["username"]))
    except (KeyError, TypeError, Unreadable):
        log.error("an introspection failed: the answer lacks a claim")
        raise NotFresh(Doubt.UNANSWERED) from None


def _number(value: Any) -> int:
    if type(value) is not int:
        raise Unreadable
    return value
