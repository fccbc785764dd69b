"""The names of the providers that come with tiomagic, and of those that are installed beside it.

The only module that knows the built-in ones by name. It loads nothing, for ``tiomagic --help``
lists the groups of commands that they bring; :mod:`tiomagic.wiring.registry` loads and builds them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Final

BUILT_IN_PROVIDERS: Final = MappingProxyType(
    {
        "local": "running models on this machine",
        "modal": "running models on Modal",
        "fal": "running models at fal",
        "openrouter": "running models at OpenRouter",
        "google": "running models at Google",
        "runway": "running models at Runway",
        "luma": "running models at Luma",
        "ray": "running models on a Ray cluster",
    }
)
"""What each is for, by name. The extra of ``x`` is ``x``."""
PLUGIN_MODULES: Final = MappingProxyType(
    {
        "local": "tiomagic_local.plugin",
        "modal": "tiomagic_modal.plugin",
        "fal": "tiomagic_hosted.plugins.fal",
        "openrouter": "tiomagic_hosted.plugins.openrouter",
        "google": "tiomagic_hosted.plugins.google",
        "runway": "tiomagic_hosted.plugins.runway",
        "luma": "tiomagic_hosted.plugins.luma",
        "ray": "tiomagic_ray.plugin",
    }
)
"""The module of each that has its plug-in."""
HOSTED_PROVIDERS: Final = frozenset({"fal", "openrouter", "google", "runway", "luma"})
"""Those that have models of their own and run none of ours."""
BUILT_IN_GROUPS: Final = MappingProxyType(
    {
        "modal": "Set up the Modal side, look at it, stop paying for it.",
        "ray": "Look at a Ray cluster, or start one to try it.",
    }
)
"""Those that bring commands, with the line of help that their plug-ins give."""
DEFAULT_PROVIDER: Final = "local"
"""Who runs a command, and the page, where no provider is configured."""
PROVIDER_ENTRY_POINT_GROUP: Final = "tiomagic.providers"


def provider_names(added: Iterable[str] = ()) -> list[str]:
    """Return the names of the providers that can be configured: ours, then the others sorted.

    Args:
        added: Names that an override brings.
    """
    from tiomagic_domain.entry_points import find_entry_points  # noqa: PLC0415  # Not for --help.

    others = {entry.name for entry in find_entry_points(PROVIDER_ENTRY_POINT_GROUP)} | set(added)
    return [*BUILT_IN_PROVIDERS, *sorted(others - set(BUILT_IN_PROVIDERS))]


def has_added_providers() -> bool:
    """Say whether another distribution brings a provider.

    It looks into the files of entry points itself: importing Python's own reader of them takes
    longer than the whole list of commands.
    """
    wanted = f"[{PROVIDER_ENTRY_POINT_GROUP}]".encode()
    return any(wanted in content for content in _entry_point_files())


def _entry_point_files() -> Iterator[bytes]:
    for folder in sys.path:
        try:
            names = [name for name in os.listdir(folder or ".") if name.endswith("-info")]  # noqa: PTH208
        except OSError:
            continue  # An archive, or a folder that is not there: neither is an installed package.
        for name in names:
            try:
                with open(os.path.join(folder, name, "entry_points.txt"), "rb") as file:  # noqa: PTH118, PTH123
                    yield file.read()
            except OSError:
                continue  # Most distributions have none.
