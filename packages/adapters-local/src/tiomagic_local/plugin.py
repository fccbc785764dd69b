"""The plug-in of the provider ``local``: its settings, models, devices, and checks for ``doctor``.

Loads nothing heavy: every method imports what it needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.hub_repositories import parse_repository
from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.extras import missing_extra_error
from tiomagic_domain.plugins import ProviderPlugin, ProviderSettings, Setting
from tiomagic_domain.plugins.checks import check_folder, check_token
from tiomagic_domain.plugins.settings import Section, make_absolute, parse_path, parse_text
from tiomagic_domain.ports.mask_maker import MaskMaker
from tiomagic_domain.ports.provider import Provider
from tiomagic_domain.ports.rehearsal import Check, CheckOutcome
from tiomagic_domain.ports.weights_keeper import WeightsKeeper

__all__ = ["PLUGIN", "LocalPlugin"]


def place_weights(value: Any, working_dir: Path) -> Any:
    """Return a path that starts from the working directory, or the repository that was named."""
    absolute: Path = make_absolute(value, working_dir)
    return absolute if absolute.exists() or parse_repository(value) is None else value


class LocalPlugin(ProviderPlugin):
    """Runs models in this process, on this machine."""

    settings: ClassVar[Section] = MappingProxyType(
        {
            "model_path": Setting("TIOMAGIC_MODEL_PATH", parse_path, place=place_weights),
            "weights_dir": Setting("TIOMAGIC_WEIGHTS_DIR", parse_path),
            "hf_token": Setting("HF_TOKEN", parse_text, secret=True),
        }
    )
    shared_settings: ClassVar[frozenset[str]] = frozenset({"device"})
    uses_devices: ClassVar[bool] = True

    def build(self, settings: ProviderSettings) -> Provider:
        """Return the provider; see the base."""
        from tiomagic_local.provider import LocalOptions, LocalProvider
        from tiomagic_local.torch_env.quiet import prepare_notebook_bars

        # Before any library is imported.
        prepare_notebook_bars()
        options = LocalOptions(
            model_path=settings["model_path"],
            weights_dir=settings["weights_dir"],
            hf_token=settings["hf_token"],
            device=settings["device"],
        )
        return LocalProvider(options, settings.spool_dir)

    def runs(self, card: ModelCard) -> bool:
        """Say whether its engine is installed."""
        from tiomagic_local.engines import can_run

        return can_run(card)

    def count_operations(self, card: ModelCard, settings: Mapping[str, Any]) -> float | None:
        """Count the operations of a model's steps; see the base. Loads no torch."""
        from tiomagic_local.preflight.run_time import count_run_operations

        return count_run_operations(card, settings)

    def devices(self, settings: ProviderSettings) -> list[str]:
        """Return the devices that a job would run on; loads torch."""
        from tiomagic_local.torch_env.devices import device_names

        return device_names(settings["device"])

    def weights_keeper(self, settings: ProviderSettings) -> WeightsKeeper:
        """Return who keeps weights on this machine; see the base.

        Raises:
            MissingDependencyError: with the command that installs what is missing.
        """
        if find_spec("huggingface_hub") is None:
            raise missing_extra_error("local", "downloading weights", module="huggingface_hub")
        from tiomagic_local.options import LocalOptions
        from tiomagic_local.torch_env.quiet import prepare_notebook_bars
        from tiomagic_local.upkeep.keeper import LocalWeightsKeeper

        prepare_notebook_bars()
        return LocalWeightsKeeper(
            LocalOptions(weights_dir=settings["weights_dir"], hf_token=settings["hf_token"])
        )

    def mask_maker(self, settings: ProviderSettings) -> MaskMaker:
        """Return who makes masks on this machine; see the base.

        Raises:
            MissingDependencyError: with the command that installs what is missing.
        """
        for module in ("torch", "transformers", "onnxruntime", "huggingface_hub"):
            if find_spec(module) is None:
                raise missing_extra_error("masks", "making a mask", module=module)
        from tiomagic_local.masks.maker import LocalMaskMaker
        from tiomagic_local.options import LocalOptions
        from tiomagic_local.torch_env.quiet import prepare_notebook_bars

        prepare_notebook_bars()
        return LocalMaskMaker(
            LocalOptions(
                weights_dir=settings["weights_dir"],
                hf_token=settings["hf_token"],
                device=settings["device"],
            )
        )

    def diagnose(self, settings: ProviderSettings) -> Iterator[Check]:
        """Check the libraries, the device, the memory, the hub's token and the weights."""
        from tiomagic_local.torch_env.machine import has_stored_hub_token, hub_cache

        try:
            yield from _look_at_machine(settings["device"])
        except TioMagicError as error:
            yield Check(part="machine", outcome=CheckOutcome.PROBLEM, message=error.message)
        yield check_token(
            "hub token",
            "HF_TOKEN",
            is_set=bool(settings["hf_token"]),
            find_stored=has_stored_hub_token,
        )
        yield check_folder("weights", settings["weights_dir"] or hub_cache())


def _look_at_machine(device: str | None) -> Iterator[Check]:
    from tiomagic_local.torch_env.machine import look_at_machine

    machine = look_at_machine(device)
    for name, version in machine.libraries.items():
        outcome = CheckOutcome.OK if version else CheckOutcome.WARNING
        yield Check(part=name, outcome=outcome, message=version or "not installed")
    free = machine.device_memory_gib
    room = "" if free is None else f", {free:.1f} GiB free"
    slow = machine.device == "cpu"
    advice = ": doodle takes seconds, the large models take hours or do not fit" if slow else ""
    message = f"{machine.device}{room}, {machine.threads} threads{advice}"
    outcome = CheckOutcome.NOTE if slow else CheckOutcome.OK
    yield Check(part="device", outcome=outcome, message=message)
    if machine.memory_gib is not None:
        message = f"{machine.memory_gib:.1f} GiB free"
        yield Check(part="memory", outcome=CheckOutcome.OK, message=message)
    outcome, message = CheckOutcome.OK, "H.264 can be written (PyAV brings FFmpeg along)"
    if not machine.encodes_h264:
        outcome = CheckOutcome.PROBLEM
        message = "this build of PyAV has no H.264 encoder: pip install --force-reinstall av"
    yield Check(part="video", outcome=outcome, message=message)


PLUGIN = LocalPlugin()
"""What the registry of providers names."""
