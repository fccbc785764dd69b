"""Says why the hub gave no answer: the name, the network, a proxy, or the address itself."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})


class HubSilentError(OSError):
    """The hub has not answered in time."""


def describe_no_answer(error: BaseException, *, hub: str, endpoint: str) -> tuple[str, str]:
    """Return why there is no answer, and what to change if that is a setting.

    Args:
        error: What the client has raised.
        hub: The hub with its address, for messages.
        endpoint: Its address alone.

    Returns:
        The reason, without a comma at the end, and the advice; empty where a network is what helps.
    """
    address = urlsplit(endpoint)
    if address.scheme not in {"http", "https"} or not address.hostname:
        return f"HF_ENDPOINT is no address: {endpoint!r}", "Set it as https://HOST, or unset it"
    chain = list(_chain(error))
    proxy = _find_proxy(address.scheme, address.hostname)
    reason = _describe_connection(chain, hub, address.hostname)
    if proxy is not None and not isinstance(chain[-1], ssl.SSLError):
        variable, place = proxy
        return f"{hub} gives no answer through the proxy {place}", f"Mend or unset {variable}"
    own = " (HF_ENDPOINT)" in hub
    return reason, "Check HF_ENDPOINT, or unset it" if own else ""


def _describe_connection(chain: list[BaseException], hub: str, host: str) -> str:
    if any(isinstance(each, ssl.SSLError) for each in chain):
        return f"no safe connection to {hub}: {chain[-1]}"
    if any(isinstance(each, socket.gaierror) for each in chain):
        return f"no network: the name {host} cannot be looked up"
    if any(isinstance(each, ConnectionRefusedError) for each in chain):
        return f"{hub} refuses the connection"
    if any(isinstance(each, OSError) and each.errno in UNREACHABLE for each in chain):
        return f"no network: there is no way to {host}"
    silent = any(
        isinstance(each, HubSilentError | TimeoutError) or "Timeout" in type(each).__name__
        for each in chain
    )
    if silent:
        return f"no network, or a slow one: {hub} gives no answer"
    return f"{hub} cannot be reached ({type(chain[0]).__name__})"


def _find_proxy(scheme: str, host: str) -> tuple[str, str] | None:
    """Return the variable that sets a proxy for a host, and its host and port alone."""
    proxies = getproxies()
    if proxy_bypass(host):
        return None
    for name in (scheme, "all"):
        if proxy := proxies.get(name):
            # A proxy's address may have a password.
            place = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            port = place.netloc.rpartition("@")[2]
            return f"{name.upper()}_PROXY", port
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__
