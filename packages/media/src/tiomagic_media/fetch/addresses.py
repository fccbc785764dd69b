"""Which IP addresses a download may connect to: public ones only (SSRF protection)."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable

Resolver = Callable[[str, int], list[str]]
"""Gives the IP addresses of a host name for a port; raises OSError when there are none."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def system_resolver(host: str, port: int) -> list[str]:
    """Return a host's addresses as the operating system knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A link-local IPv6 address carries its interface after a percent sign.
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def resolve_in_time(resolver: Resolver, host: str, port: int, seconds: float) -> list[str]:
    """Resolve a name with a timeout, which the operating system does not offer.

    Raises:
        OSError: when the name has no address.
        TimeoutError: when the answer does not come in time.
    """
    found: list[str] = []
    failed: list[OSError] = []

    def look_up() -> None:
        try:
            found.extend(resolver(host, port))
        except OSError as error:
            failed.append(error)
        except UnicodeError:
            # The idna codec raises it for a label that is empty or too long.
            failed.append(OSError(f"{host!r} is not a host name"))

    worker = threading.Thread(target=look_up, daemon=True, name="tiomagic-resolve")
    worker.start()
    worker.join(max(seconds, 0.0))
    if worker.is_alive():
        raise TimeoutError(f"no answer for the name {host!r}")
    if failed:
        raise failed[0]
    if not found:
        raise OSError(f"the name {host!r} has no address")
    return found


def is_public(address: str) -> bool:
    """Say whether an address belongs to the public internet.

    Loopback, private, link-local, multicast, reserved and unspecified addresses do not, nor do
    IPv6 addresses that stand for such an IPv4 address (mapped, 6to4, Teredo, NAT64).
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = _embedded(ip)
        if inner is not None:
            return _is_public(inner)
        if ip.is_site_local:
            return False
    return _is_public(ip)


def _embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip.teredo is not None:
        return ip.teredo[1]
    if ip in _NAT64 or int(ip) >> 32 == 0:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


def _is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    # is_global alone is not enough: it is true for multicast.
    refused = (
        ip.is_multicast
        or ip.is_private
        or ip.is_loopback
        or ip.is_link_local
        or ip.is_reserved
        or ip.is_unspecified
    )
    return ip.is_global and not refused
