"""Says what is wrong when a cluster cannot be connected to: Ray's own words for it differ."""

from __future__ import annotations

import re
from typing import Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    TioMagicError,
)
from tiomagic_domain.redaction import redact
from tiomagic_ray.tokens import missing_token_error

REFUSED_TOKEN: Final = re.compile(
    r"InvalidAuthToken|UNAUTHENTICATED|Unauthenticated|Invalid or missing authentication token"
)
NO_TOKEN: Final = re.compile(r"AuthenticationError|no authentication token was found")
OTHER_VERSION: Final = re.compile(r"ersion mismatch|versions? .*do(es)? not match", re.DOTALL)
VERSIONS: Final = re.compile(r"(Ray|Python): *(\d[\w.+]*)")


def no_cluster(address: str, reason: str) -> APIError:
    """Return the error for an address where no cluster answers.

    Args:
        address: As it is configured.
        reason: What was seen.
    """
    return APIError(
        f"no Ray cluster answers at address={address!r} ({redact(reason)}). Is its head started "
        "('ray start --head'), and can its port be reached from here?",
        details={"address": address},
        code=ErrorCode.NO_CLUSTER,
        retryable=True,
    )


def explain(address: str, message: str, printed: str, *, has_token: bool = True) -> TioMagicError:
    """Return the error for a connection that failed.

    Args:
        address: As it is configured.
        message: Of Ray's exception.
        printed: What Ray's driver has printed; a refused token is only there.
        has_token: False if none is set or stored here.
    """
    is_refused = bool(REFUSED_TOKEN.search(printed) or REFUSED_TOKEN.search(message))
    if is_refused and has_token:
        return AuthenticationError(
            f"the Ray cluster at address={address!r} refuses the token: set RAY_AUTH_TOKEN, or "
            "ray_token, to the one that its head was started with",
            details={"address": address, "variable": "RAY_AUTH_TOKEN"},
            code=ErrorCode.CLUSTER_TOKEN,
        )
    if is_refused or NO_TOKEN.search(message):
        return missing_token_error(address)
    if OTHER_VERSION.search(message):
        found = VERSIONS.findall(message)
        names = [f"{name} {version}" for name, version in found]
        theirs, ours = " and ".join(names[:2]), " and ".join(names[2:4])
        which = f": it has {theirs}, and this process has {ours}" if len(names) >= 4 else ""
        return ConfigurationError(
            f"the Ray cluster at address={address!r} has other versions{which}. Ray wants the same "
            "on both sides",
            details={"address": address, "theirs": names[:2], "ours": names[2:4]},
            code=ErrorCode.CLUSTER_VERSIONS,
        )
    lines = [line for line in message.strip().splitlines() if line.strip()]
    return no_cluster(address, lines[0][:200] if lines else "no reason given")
