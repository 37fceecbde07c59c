"""Requests that `rescind guard` has let pass: the reverse proxy in front adds who calls, in headers.

A header is as good as its way: nobody but the proxy may reach this server, and the proxy removes from a request whatever looks
like one of these headers, as the examples of the service's repository do. Requests of other peers are refused here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

from .claims import Identity
from .errors import ConfigurationError, TokenInvalid
from .wire import Unreadable, read_id

USER = "X-Auth-User"
DEVICE = "X-Auth-Device"
GENERATION = "X-Auth-Generation"


class TrustedProxies:
    """The peers whose headers are believed: addresses, networks, or `unix` for a local socket."""

    def __init__(self, proxies: Iterable[str]) -> None:
        self._unix = False
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for proxy in proxies:
            if proxy == "unix":
                self._unix = True
                continue
            try:
                self._networks.append(ipaddress.ip_network(proxy))
            except ValueError:
                raise ConfigurationError(
                    f"{proxy!r} is no proxy: write an address, a network like 10.0.0.0/8, or 'unix'"
                ) from None

    def trust(self, peer: str | None) -> bool:
        """Whether the peer with this address is trusted; without an address it is one of a local socket."""
        if not peer:
            return self._unix
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


class GuardHeaders:
    """Reads who calls from the headers that the guard set."""

    def __init__(self, trusted_proxies: Iterable[str] = ("127.0.0.0/8", "::1")) -> None:
        self._proxies = TrustedProxies(trusted_proxies)

    def identify(self, headers: Mapping[str, str], peer: str | None) -> Identity | None:
        """Who calls; `None` if the guard named nobody. Raises `TokenInvalid` for headers that cannot be the guard's.

        headers: those of the request, found by their names as `X-Auth-User` spells them.
        peer: the address of the connection, not that of a forwarding header.
        """
        found = [headers.get(name) for name in (USER, DEVICE, GENERATION)]
        if all(value is None for value in found):
            return None
        if not self._proxies.trust(peer):
            raise TokenInvalid
        user, device, generation = found
        try:
            # Two headers of one name arrive as one text with a comma, which is no id.
            if user is None or device is None or generation is None:
                raise Unreadable
            if not (generation.isascii() and generation.isdecimal() and len(generation) <= 20):
                raise Unreadable
            return Identity(read_id(user), read_id(device), int(generation))
        except Unreadable:
            raise TokenInvalid from None
