"""The headers of the guard in front, and who is believed."""

from __future__ import annotations

import pytest

from rescind import ConfigurationError, GuardHeaders, TokenInvalid

USER, DEVICE = "019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20", "019aaa3c-52f4-7c55-8f0a-2f6d3c9b1e47"
GOOD = {"X-Auth-User": USER, "X-Auth-Device": DEVICE, "X-Auth-Generation": "3"}


def test_the_guards_headers_name_who_calls() -> None:
    identity = GuardHeaders().identify(GOOD, "127.0.0.1")
    assert identity is not None
    assert (identity.user, identity.device, identity.generation) == (USER, DEVICE, 3)
    assert GuardHeaders().identify({"Accept": "*/*"}, "127.0.0.1") is None


@pytest.mark.parametrize("peer", ["192.0.2.1", "", None, "not an address", "::ffff:192.0.2.1"])
def test_nobody_but_the_proxy_is_believed(peer: str | None) -> None:
    with pytest.raises(TokenInvalid):
        GuardHeaders().identify(GOOD, peer)


def test_proxies_are_named_by_address_network_or_socket() -> None:
    headers = GuardHeaders(["10.0.0.0/8", "fd00::1", "unix"])
    for peer in ["10.1.2.3", "fd00::1", "::ffff:10.1.2.3", "fd00::1%eth0", "", None]:
        assert headers.identify(GOOD, peer)
    with pytest.raises(TokenInvalid):
        headers.identify(GOOD, "127.0.0.1")
    for wrong in ["10.0.0.1/8", "localhost", ""]:
        with pytest.raises(ConfigurationError, match="no proxy"):
            GuardHeaders([wrong])


@pytest.mark.parametrize(
    "changed",
    [
        {"X-Auth-User": f"{USER},{USER}"},
        {"X-Auth-User": ""},
        {"X-Auth-Device": "x"},
        {"X-Auth-Generation": "-1"},
        {"X-Auth-Generation": "٣"},
        {"X-Auth-Generation": ""},
        {"X-Auth-Generation": "1" * 5000},
    ],
)
def test_headers_that_are_not_the_guards_are_refused(changed: dict[str, str]) -> None:
    with pytest.raises(TokenInvalid):
        GuardHeaders().identify({**GOOD, **changed}, "127.0.0.1")
    for name in GOOD:
        with pytest.raises(TokenInvalid):
            GuardHeaders().identify({key: value for key, value in GOOD.items() if key != name}, "127.0.0.1")
