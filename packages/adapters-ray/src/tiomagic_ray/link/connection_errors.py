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
        return _other_versions(address, VERSIONS.findall(message))
    lines = [line for line in message.strip().splitlines() if line.strip()]
    return no_cluster(address, lines[0][:200] if lines else "no reason given")


def _other_versions(address: str, found: list[tuple[str, str]]) -> ConfigurationError:
    """Return the error for other versions, with what makes them the same.

    Args:
        address: As it is configured.
        found: Name and number: first those of the cluster, then those of this process.
    """
    theirs, ours = dict(found[:2]), dict(found[2:4])
    which, steps = "", []
    if theirs.keys() == ours.keys() == {"Ray", "Python"}:
        which = f": it has {_listed(theirs)}, and this process has {_listed(ours)}"
        if theirs["Ray"] != ours["Ray"]:
            steps.append(f"run on its machines: pip install 'ray[default]=={ours['Ray']}'")
        if theirs["Python"] != ours["Python"]:
            steps.append(f"install tiomagic into: uv venv --python {theirs['Python']}")
            # Through its server for clients Ray compares the minor version alone.
            if not address.startswith("ray://") and _minor(theirs) == _minor(ours):
                steps[-1] += f", or use address='ray://HOST:10001', which takes any {_minor(ours)}"
    return ConfigurationError(
        f"the Ray cluster at address={address!r} has other versions{which}. Ray wants the same on "
        f"both sides{''.join(f'; {step}' for step in steps)}",
        details={"address": address, "theirs": _each(theirs), "ours": _each(ours)},
        code=ErrorCode.CLUSTER_VERSIONS,
    )


def _each(versions: dict[str, str]) -> list[str]:
    return [f"{name} {number}" for name, number in versions.items()]


def _listed(versions: dict[str, str]) -> str:
    return " and ".join(_each(versions))


def _minor(versions: dict[str, str]) -> str:
    return ".".join(versions["Python"].split(".")[:2])
