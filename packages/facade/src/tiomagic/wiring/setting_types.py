"""The types of the settings that ``tm.configure`` and ``TioMagic`` take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from tiomagic.types import ProviderName


class MoreSettings(TypedDict, total=False):
    """What ``tm.configure`` takes beside its named arguments.

    See :mod:`tiomagic.wiring.settings`.
    """

    max_cost: float | str | None
    daily_budget: float | str | None
    monthly_budget: float | str | None
    weights_dir: str | Path | None
    database_url: str | None
    output_dir: str | Path | None
    state_dir: str | Path | None
    hf_token: str | None
    device: str | None
    worker_idle_s: int | str | None
    warm_worker: Literal["auto", "on", "off"] | bool | None
    worker_stale_s: int | str | None
    worker_cancel_s: int | str | None
    allow_private_media: bool | str | None
    log_level: Literal["debug", "info", "warning", "error", "critical"] | None
    modal_token_id: str | None
    modal_token_secret: str | None
    modal_environment: str | None
    fal_key: str | None
    openrouter_key: str | None
    runway_key: str | None
    luma_key: str | None
    google_key: str | None
    google_api_key: str | None
    google_project: str | None
    google_location: str | None
    address: str | None
    ray_token: str | None
    ray_shared_dir: str | Path | None
    ray_autoscaled_gpus: str | None
    ui_auth: str | None
    ui_allowed_hosts: str | None
    announce_jobs: bool | str | None
    accepted_terms: Sequence[str] | str | None


class AllSettings(MoreSettings, total=False):
    """Every setting; what is None or left out stays as it is."""

    provider: ProviderName | Sequence[ProviderName] | None
    api_key: str | None
    model_path: str | Path | None
    gpu: str | None
    timeout: int | str | None
    scaledown_window: int | str | None


class InstanceOptions(AllSettings, total=False):
    """What a ``TioMagic`` of one's own is made with."""

    working_dir: str | Path | None
    overrides: Mapping[str, Any] | None
