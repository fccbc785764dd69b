"""Settings of the Modal provider: GPU, timeout, idle window, token, environment."""

from __future__ import annotations

from dataclasses import dataclass

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.plugins import ProviderSettings

MAX_TIMEOUT_S = 24 * 3600
"""Modal's own limit for one run of a function."""
SCALEDOWN_WINDOW_LIMITS_S = (2, 3600)
"""Modal's own limits for how long an idle container is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalOptions:
    """Settings of the Modal provider."""

    gpu: str | None = None
    """A GPU of Modal's list, such as ``H100`` or ``A100-80GB:2``; None for the model's default."""
    timeout_s: int = 1800
    """Seconds that one generation may take in the container, loading included."""
    scaledown_window_s: int = 900
    """Seconds that an idle container is kept, and paid for, in case another job comes."""
    token_id: str | None = None
    """Modal's token; None for what Modal's own settings say."""
    token_secret: str | None = None
    """The token's secret half; in no record, log or error."""
    environment: str | None = None
    """Modal environment; None for the workspace's default."""

    def __repr__(self) -> str:
        """Return the options without the secret."""
        return (
            f"ModalOptions(gpu={self.gpu!r}, timeout_s={self.timeout_s}, "
            f"scaledown_window_s={self.scaledown_window_s}, environment={self.environment!r})"
        )

    def check(self) -> None:
        """Check the numbers and the token.

        Raises:
            ConfigurationError: when a number is outside Modal's limits, or half a token is given.
        """
        _check_seconds("timeout", self.timeout_s, 1, MAX_TIMEOUT_S)
        _check_seconds("scaledown_window", self.scaledown_window_s, *SCALEDOWN_WINDOW_LIMITS_S)
        if bool(self.token_id) != bool(self.token_secret):
            missing = "MODAL_TOKEN_SECRET" if self.token_id else "MODAL_TOKEN_ID"
            raise ConfigurationError(
                f"a Modal token has two halves and only one is set: {missing} is missing",
                code=ErrorCode.HALF_A_TOKEN,
            )


def _check_seconds(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        nearest = min(max(value, low), high)
        raise ConfigurationError(
            f"{name} is {value} s, but Modal takes {low} to {high} s; the nearest is {nearest}",
            details={"setting": name, "given": value, "nearest": nearest},
        )


def read_options(settings: ProviderSettings) -> ModalOptions:
    """Return what the settings say about Modal."""
    return ModalOptions(
        gpu=settings["gpu"],
        timeout_s=settings["timeout"],
        scaledown_window_s=settings["scaledown_window"],
        token_id=settings["modal_token_id"],
        token_secret=settings["modal_token_secret"],
        environment=settings["modal_environment"],
    )
