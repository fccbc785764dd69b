"""Which addresses belong to the public internet."""

from __future__ import annotations

import pytest

from tiomagic_media.fetch.addresses import is_public, resolve_in_time, system_resolver


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "ff0e::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::1",
        "2002:c0a8:101::1",
        "2001:0:0:0:0:0:3f57:fefe",
    ],
)
def test_addresses_that_are_not_public(address):
    """Loopback, private, link-local, shared, reserved, multicast, and IPv6 in their disguise."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"]
)
def test_addresses_that_are_public(address):
    """Ordinary hosts are reached."""
    assert is_public(address)


def test_the_system_knows_loopback():
    """The real resolver gives plain addresses, each once."""
    found = system_resolver("localhost", 80)
    assert set(found) <= {"127.0.0.1", "::1"}
    assert len(found) == len(set(found))


def test_a_name_without_an_address_is_an_error():
    """An empty answer is no answer."""
    with pytest.raises(OSError, match="has no address"):
        resolve_in_time(lambda host, port: [], "x", 80, 5)


def test_a_name_that_cannot_be_encoded_is_an_error():
    """The idna codec's error is an OSError like the others."""
    with pytest.raises(OSError, match="not a host name"):
        resolve_in_time(system_resolver, "a" * 70 + "é..", 80, 5)
