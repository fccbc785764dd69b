"""Variables that look like settings and are none: a misspelt one would be nothing, silently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tiomagic.wiring.setting_types import AllSettings
from tiomagic.wiring.settings import PREFIX, known_settings
from tiomagic_domain.suggestions import closest

OTHER_VARIABLES: Final = frozenset(
    {
        *("TIOMAGIC_POSE_MODELS", "TIOMAGIC_OUTPUTS_DIR", "TIOMAGIC_SECRET_MADE_BY"),
        *("TIOMAGIC_RAY_FOLDER", "TIOMAGIC_SERVE_PROCESS"),
    }
)
"""Variables of tiomagic that are no settings."""

_noticed: set[str] = set()


def find_unknown_variables(*sources: Mapping[str, str]) -> dict[str, str | None]:
    """Return the variables that are no settings, each with the one that is meant, or None.

    A setting of a provider that is not installed is one all the same.

    Args:
        sources: The environment, and the variables of ``.env``.
    """
    known = {option.variable for option in known_settings().values()} | OTHER_VARIABLES
    known |= {f"{PREFIX}{name.upper()}" for name in AllSettings.__annotations__}
    given = {name for source in sources for name in source if name.startswith(PREFIX)}
    return {name: closest(name, known) for name in sorted(given - known)}


def notice_unknown_variables(*sources: Mapping[str, str]) -> None:
    """Log a warning about each variable that is probably misspelt, once a process.

    Args:
        sources: As above. A name that is like none of ours may be somebody else's.
    """
    for name, nearest in find_unknown_variables(*sources).items():
        if nearest is not None and name not in _noticed:
            from tiomagic.display.journal import get_logger  # noqa: PLC0415  # Seldom.

            _noticed.add(name)
            get_logger().warning("settings.unknown_variable", variable=name, nearest=nearest)
