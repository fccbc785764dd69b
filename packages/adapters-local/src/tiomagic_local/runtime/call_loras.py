"""Finds the files of the LoRAs of one call: the user's, and those that the card names for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.options import LocalOptions
from tiomagic_local.weights.locate import local_folder
from tiomagic_local.weights.lora_files import FoundLora, find_loras


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLoras:
    """The files of the LoRAs that are on a model for the time of one call."""

    asked: Sequence[FoundLora] = ()
    """Those that the user names."""
    few_steps: Sequence[FoundLora] = ()
    """The few-step weights of the model's card."""
    control: Sequence[FoundLora] = ()
    """The one that reads the control video."""

    def __iter__(self) -> Iterator[FoundLora]:
        return iter((*self.asked, *self.few_steps, *self.control))

    @property
    def revisions(self) -> dict[str, str]:
        """The hub's commits, by repository, of those that the card names."""
        return revisions_of((*self.few_steps, *self.control))


def find_call_loras(
    card: ModelCard,
    settings: Mapping[str, Any],
    options: LocalOptions,
    *,
    progress: ProgressSink,
    cancel: CancelToken,
) -> CallLoras:
    """Return the files of all LoRAs of a call, downloading them if needed.

    Args:
        card: The model.
        settings: Of the call.
        options: Where to look.
        progress: Gets the state of a download.
        cancel: Ends a download at once; what has come stays.

    Raises:
        ValidationError: when one that the user names is not there.
        ConfigurationError, AuthenticationError, APIError: when one cannot be had.
    """
    find = partial(find_loras, options=options, progress=progress, cancel=cancel)
    folder = (local_folder(card, options) or (None,))[0]
    turbo, control = card.turbo_of(settings), card.control_of(settings)
    return CallLoras(
        asked=find(Lora.from_arguments(settings.get("loras", ()))),
        few_steps=find(turbo.loras, model=folder, stays=True) if turbo is not None else (),
        control=find([control.lora], model=folder, stays=True) if control is not None else (),
    )


def revisions_of(loras: Sequence[FoundLora]) -> dict[str, str]:
    """Return the hub's commits of LoRAs, by repository."""
    return {f.lora.source: f.pinned.revision for f in loras if f.pinned.revision is not None}
