"""Whether there is a token for a cluster; its value is not used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import AuthenticationError
from tiomagic_domain.ports.preflight import TokenState
from tiomagic_ray.options import RayOptions

WHY: Final = "Set RAY_AUTH_TOKEN to the one that the cluster was started with"


def look_for_token(
    options: RayOptions,
    environment: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> TokenState:
    """Say whether a cluster's token is set or stored, where Ray itself would look.

    Args:
        options: With the token of the settings.
        environment: With Ray's own variables.
        home: The user's folder; None for the one of the process.
    """
    # A cluster without authentication is a choice of both sides; Ray 2.60 asks for a token.
    is_needed = environment.get("RAY_AUTH_MODE", "token").lower() == "token"
    stored = environment.get("RAY_AUTH_TOKEN_PATH") or (home or Path.home()) / ".ray" / "auth_token"
    is_there = bool(options.token) or Path(stored).is_file()
    return TokenState(service="a Ray cluster", is_needed=is_needed, is_there=is_there, why=WHY)


def missing_token_error(address: str) -> AuthenticationError:
    """Return the error for a cluster whose token is not here; the caller raises it.

    Args:
        address: As it is configured.
    """
    return AuthenticationError(
        f"the Ray cluster at address={address!r} wants a token, and there is none: set "
        "RAY_AUTH_TOKEN, or ray_token, to the one that its head was started with",
        details={"address": address, "variable": "RAY_AUTH_TOKEN"},
        code=ErrorCode.CLUSTER_TOKEN,
    )
