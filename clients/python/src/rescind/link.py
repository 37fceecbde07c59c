"""Requests to the issuer over HTTP, each with a limit in time and size. Used on the background thread only."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import re
import ssl
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import httpx

from .errors import ConfigurationError, IssuerError, Refused
from .keys import PublishedKeys
from .pings import Asked
from .stream import Parser, SseEvent

#: The time limits for connecting and for an answer, in seconds.
_CONNECT = 3.0
_ANSWER = 5.0

#: The most bytes that are read of an answer.
_LONGEST_KEYS = 256 * 1024
_LONGEST_ANSWER = 16 * 1024

_TIMEOUT = {"connect": _CONNECT, "pool": _ANSWER, "write": _ANSWER, "read": None}
_LIMITS = httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=30)

_KEY = re.compile(r"rescind_sk_[!-~]{1,244}", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9._-]*", re.ASCII)

_T = TypeVar("_T")


class ServiceKey:
    """A service key, the credential of a resource server. It is never shown."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Reads the text of a service key, `rescind_sk_…`; white space around it is ignored."""
        text = text.strip()
        if _KEY.fullmatch(text) is None:
            raise ConfigurationError(
                "this is no service key: make one with `rescind service-key add NAME --scope feed`"
            )
        self._text = text

    def __repr__(self) -> str:
        return "ServiceKey(…)"

    @property
    def authorization(self) -> str:
        return f"Bearer {self._text}"


class _Request(NamedTuple):
    """A request, and the scope of the service key that it needs."""

    method: str
    path: str
    scope: str
    headers: dict[str, str]
    body: str | None = None
    #: Whether the caller judges the status, and not `refuse`.
    judged: bool = False


class Ask(NamedTuple):
    """A request of the API under `/api/v1/`."""

    method: str
    path: str
    #: What the service key needs.
    scope: str
    body: dict[str, Any] | None = None
    #: The `Authorization` instead of the service key's; empty for none.
    authorization: str | None = None
    headers: Mapping[str, str] = MappingProxyType({})


class Link:
    """The issuer's address, the credential and the connection pool."""

    def __init__(self, base: str, key: ServiceKey) -> None:
        self.base = base.rstrip("/")
        self._key = key
        try:
            url = httpx.URL(self.base)
        except (httpx.InvalidURL, TypeError):
            url = httpx.URL("")
        if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment or url.userinfo:
            raise ConfigurationError(
                f"{base!r} is no address of an issuer: write http://HOST or https://HOST"
            )
        # Without proxies and .netrc of the environment, as little between here and the issuer as can be.
        self._verify = ssl.create_default_context() if url.scheme == "https" else False
        self._host = url.host
        self._transport: httpx.AsyncHTTPTransport | None = None
        self._sockets: list[Any] = []

    def descriptors(self) -> list[int]:
        """The descriptors of the open connections."""
        return [number for number in (socket.fileno() for socket in self._sockets) if number >= 0]

    def _note_socket(self, response: httpx.Response) -> None:
        stream = response.extensions.get("network_stream")
        socket = stream.get_extra_info("socket") if stream is not None else None
        if socket is not None and socket.fileno() not in self.descriptors():
            self._sockets = [open_one for open_one in self._sockets if open_one.fileno() >= 0]
            self._sockets.append(socket)

    @property
    def is_exposed(self) -> bool:
        """Whether the network path can be read and altered: plain HTTP to another machine."""
        return self._verify is False and not _is_loopback(self._host)

    async def close(self) -> None:
        """Closes every connection."""
        if self._transport is not None:
            await self._transport.aclose()

    async def keys(self) -> PublishedKeys:
        """Fetches the public keys."""
        request = _Request("GET", "/.well-known/paserk", "feed", {"Cache-Control": "no-cache"})
        return PublishedKeys.read(await self._json(request, _LONGEST_KEYS, "a list of keys"))

    async def ping(self, asked: Asked, follower: str | None) -> str:
        """Sends a ping, on behalf of the stream `follower` if known, and returns the text of the answer."""
        body: dict[str, Any] = {"nonce": asked.nonce, "applied": asked.applied or 0}
        if follower is not None:
            body["follower"] = follower
        headers = {"Authorization": self._key.authorization, "Content-Type": "application/json"}
        request = _Request("POST", "/api/v1/revocations/ping", "feed", headers, json.dumps(body))
        what = "an answer to a ping"
        return _member(await self._json(request, _LONGEST_ANSWER, what), "pong", str, what)

    async def introspect(self, token: str) -> dict[str, Any]:
        """Asks the issuer about a token (RFC 7662)."""
        # A token has no character that a form would have to escape.
        if _TOKEN.fullmatch(token) is None:
            return {"active": False}
        kind = "application/x-www-form-urlencoded"
        headers = {"Authorization": self._key.authorization, "Content-Type": kind}
        request = _Request("POST", "/oauth/introspect", "introspect", headers, f"token={token}")
        what = "an introspection"
        answer = await self._json(request, _LONGEST_ANSWER, what)
        _member(answer, "active", bool, what)
        return dict(answer)

    async def call(self, ask: Ask) -> dict[str, Any]:
        """Sends a request of the API; raises `Refused` with the code of an answer that is none of success."""
        authorization = self._key.authorization if ask.authorization is None else ask.authorization
        headers = {**ask.headers, **({"Authorization": authorization} if authorization else {})}
        body = None if ask.body is None else json.dumps(ask.body)
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = _Request(ask.method, f"/api/v1/{ask.path}", ask.scope, headers, body, judged=True)
        status, answer = await self._answer(request, _LONGEST_ANSWER, "an answer of its API")
        if not isinstance(answer, dict):
            raise _not("an answer of its API")
        if 200 <= status < 300:
            return answer
        code, detail = answer.get("code"), answer.get("detail")
        if not isinstance(code, str) or status >= 500:
            refuse(status, request)
        if ask.authorization is None and code in ("token_invalid", "token_missing"):
            refuse(401, request)
        raise Refused(status, str(code), str(detail or code), answer.get("errors"))

    async def stream(self, last: int | None) -> AsyncGenerator[SseEvent, None]:
        """The events after the position `last`, or from a snapshot on; ends with an `IssuerError`."""
        headers = {"Authorization": self._key.authorization, "Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        async with self._send(_Request("GET", "/api/v1/revocations/stream", "feed", headers)) as response:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise _not("a stream of events")
            parser = Parser()
            try:
                async for chunk in response.aiter_raw():
                    for event in parser.feed(chunk):
                        yield event
            except httpx.TransportError as error:
                raise _unreachable(error) from None
        raise IssuerError("the stream was closed", may_pass=True)

    async def _json(self, request: _Request, longest: int, what: str) -> Any:
        return (await self._answer(request, longest, what))[1]

    async def _answer(self, request: _Request, longest: int, what: str) -> tuple[int, Any]:
        async def read() -> tuple[int, bytes]:
            found = bytearray()
            async with self._send(request) as response:
                async for chunk in response.aiter_raw():
                    found.extend(chunk)
                    if len(found) > longest:
                        raise _not(what)
            return response.status_code, bytes(found)

        try:
            status, text = await _in_time(read())
            return status, json.loads(text.decode())
        except httpx.TransportError as error:
            raise _unreachable(error) from None
        except (ValueError, RecursionError):
            raise _not(what) from None

    @contextlib.asynccontextmanager
    async def _send(self, request: _Request) -> AsyncIterator[httpx.Response]:
        """Sends a request; gives the response if its status is 200."""
        # The transport without a client around it, which would log every request of an application's server.
        if self._transport is None:
            self._transport = httpx.AsyncHTTPTransport(verify=self._verify, limits=_LIMITS, trust_env=False)
        sent = httpx.Request(
            request.method,
            f"{self.base}{request.path}",
            headers={"User-Agent": "rescind-python/0.1.0", **request.headers},
            content=request.body,
            extensions={"timeout": _TIMEOUT},
        )
        try:
            response = await _in_time(self._transport.handle_async_request(sent))
        except httpx.TransportError as error:
            raise _unreachable(error) from None
        self._note_socket(response)
        try:
            if not request.judged:
                refuse(response.status_code, request)
            yield response
        finally:
            await response.aclose()


async def _in_time(answer: Awaitable[_T]) -> _T:
    try:
        if sys.version_info < (3, 11):
            return await asyncio.wait_for(answer, _ANSWER)
        # Without a task in between, whose error nobody would ask for when this one is cancelled.
        async with asyncio.timeout(_ANSWER):
            return await answer
    except asyncio.TimeoutError:
        raise IssuerError(f"no answer within {_ANSWER:.0f} s", may_pass=True) from None


def refuse(status: int, request: _Request) -> None:
    """Raises the error that a status other than 200 stands for."""
    scope, add = request.scope, "make one with `rescind service-key add NAME --scope"
    match status:
        case 200:
            return
        case 401:
            raise IssuerError(
                f"the service key is not one of this issuer, or was removed: {add} {scope}`", may_pass=False
            )
        case 403:
            raise IssuerError(f"the service key lacks the scope `{scope}`: {add} {scope}`", may_pass=False)
        case 404:
            raise IssuerError(
                f"there is no {request.path} at this address: is the url right, and is it a Rescind service"
                " that is not older than this package?",
                may_pass=False,
            )
        case 400 | 405:
            # What is sent here does not depend on anybody's input.
            raise IssuerError(
                f"it refused a request to {request.path} with status {status}: update it if it is older than this package",
                may_pass=False,
            )
        case 410:
            message = "the issuer's log no longer reaches back to the applied position"
            raise IssuerError(message, may_pass=True, gone=True)
        case _:
            may_pass = status == 429 or status >= 500
            raise IssuerError(f"it answered with status {status}", may_pass=may_pass)


def _not(what: str) -> IssuerError:
    return IssuerError(f"it answered something that is not {what}", may_pass=False)


def _member(answer: Any, name: str, kind: type[_T], what: str) -> _T:
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, kind):
        raise _not(what)
    return value


def _unreachable(error: BaseException) -> IssuerError:
    """An error with the innermost message, such as `Connection refused`."""
    inner: BaseException = error
    while (below := inner.__cause__ or inner.__context__) is not None:
        inner = below
    return IssuerError(str(inner) or str(error) or type(inner).__name__, may_pass=True)


def _is_loopback(host: str) -> bool:
    """Whether a host is this machine: a loopback address, or a name under `localhost` (RFC 6761, section 6.3)."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
