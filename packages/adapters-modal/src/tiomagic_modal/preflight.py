"""What a run meets on Modal, known without a request: the GPU, its memory, the token."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.ports.preflight import PlanNeed, RunConditions, RunDevice, TokenState
from tiomagic_modal.errors import HOW_TO_SIGN_IN
from tiomagic_modal.gpus import HEADROOM_GIB, USABLE_MEMORY_FRACTION, default_gpu, usable_memory_gib
from tiomagic_modal.options import ModalOptions

CONFIG_VARIABLE: Final = "MODAL_CONFIG_PATH"
CONFIG_FILE: Final = ".modal.toml"
"""The file in the home folder where Modal's own tools keep tokens."""


def find_conditions(card: ModelCard, options: ModalOptions) -> RunConditions:
    """Return what a run of a model meets on Modal.

    The weights lie on a Volume there: the caller has nothing to download.

    Args:
        card: The model.
        options: With the GPU and the token.
    """
    gpu = options.gpu.strip().upper() if options.gpu else default_gpu(card)
    device = RunDevice(name="CPU", is_cpu=True)
    if gpu is not None:
        device = RunDevice(name=gpu, title=gpu, memory_gib=usable_memory_gib(gpu))
    smallest = card.gpu_memory_gib * USABLE_MEMORY_FRACTION
    plans = (
        PlanNeed(
            plan="resident", device_gib=card.weights_gib + HEADROOM_GIB, main_gib=card.largest_gib
        ),
        PlanNeed(plan="model_offload", device_gib=smallest, main_gib=card.weights_gib),
    )
    token = TokenState(
        service="Modal", is_needed=True, is_there=has_token(options), why=HOW_TO_SIGN_IN
    )
    return RunConditions(
        device=device, plans=plans if gpu is not None else (), tokens=(token,), place="Modal"
    )


def has_token(
    options: ModalOptions,
    environment: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> bool:
    """Say whether a token is set or stored; its value is not used.

    The provider's ``check`` asks Modal's package, whose import takes a third of a second.

    Args:
        options: With the token of the settings.
        environment: May name another file of tokens.
        home: The folder with that file; None for the user's home.
    """
    if options.token_id and options.token_secret:
        return True
    if environment.get("MODAL_TOKEN_ID") and environment.get("MODAL_TOKEN_SECRET"):
        return True
    named = environment.get(CONFIG_VARIABLE)
    path = Path(named) if named else (home or Path.home()) / CONFIG_FILE
    try:
        profiles = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # Not signed in; Modal's tools say what is wrong with a damaged file.
    names = ("token_id", "oauth_refresh_token")
    return any(
        isinstance(profile, dict) and any(profile.get(name) for name in names)
        for profile in profiles.values()
    )
