"""Rank 0 (the leader): starts the other ranks, waits until they are ready, and runs with them."""

from __future__ import annotations

import contextlib
import os
import pickle
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationCanceledError, GenerationError
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.progress import CancelToken
from tiomagic_local.context_parallel.messages import CallDone, LoadModel, ModelReady, RunCall
from tiomagic_local.context_parallel.support import explain_heads, list_shares
from tiomagic_local.context_parallel.workers import RankProcesses
from tiomagic_local.options import LocalOptions

if TYPE_CHECKING:
    import torch

    from tiomagic_local.context_parallel.model_transformers import ModelTransformer
    from tiomagic_local.weights.locate import Weights

LOAD_TIMEOUT_S = 600.0
"""Timeout for loading a model on the other ranks after this one has loaded it, in seconds."""

FINISH_TIMEOUT_S = 30.0
"""Timeout for the end of the other ranks after this one, which also decodes the video, in
seconds."""

FAILURE_GRACE_S = 2.0
"""Seconds to wait, after an error here, for the report of a dead rank that caused it."""


_last: weakref.ref[Leader] | None = None
"""The leader whose ranks may be running."""


class Leader:
    """The other ranks of one runtime, which are started at first use.

    Args:
        devices: Of all ranks, this process's first.
        options: With the source of weights.
    """

    def __init__(self, devices: Sequence[str], options: LocalOptions) -> None:
        self._devices = tuple(devices)
        self._options = options
        self._band: RankProcesses | None = None
        self._config: Any = None
        self._forget: Callable[[], object] = lambda: None
        self._models: Sequence[ModelTransformer] = ()
        self._parts: Sequence[Any] = ()
        self._sharing = 1
        self._reason: str | None = None
        self._awaited = False

    @property
    def devices(self) -> tuple[str, ...]:
        """Of all ranks."""
        return self._devices

    @property
    def pids(self) -> list[int]:
        """The processes of the other ranks; empty while there are none."""
        return [] if self._band is None else self._band.pids

    def count_sharing(
        self, card: ModelCard, settings: Mapping[str, Any], weights: Weights | None
    ) -> int:
        """Return how many devices will make a call together; 1 for the first alone.

        Args:
            card: The model.
            settings: Of the call.
            weights: Of the model; None if they were given for the call before.
        """
        from tiomagic_local.context_parallel.model_transformers import (
            count_shared_heads,
            explain_unsplittable,
            find_transformers,
        )

        if weights is not None:
            self._models = find_transformers(weights)
        refused = explain_unsplittable(self._models) or self._obstacle(card, settings)
        heads, there = count_shared_heads(self._models), len(self._devices)
        self._reason = refused or explain_heads(heads, there)
        self._sharing = 1 if refused else max(list_shares(heads, there), default=1)
        return self._sharing

    def request_load(self, card: ModelCard, settings: Mapping[str, Any]) -> None:
        """Start loading a model on the other ranks, if any share it; returns at once.

        Args:
            card: The model, after :meth:`count_sharing`.
            settings: Of the call.
        """
        if self._sharing == 1:
            # The model that they have loaded is no longer needed.
            self.end()
            return
        if (
            self._band is None
            or not self._band.is_whole
            or len(self._band.devices) != self._sharing
        ):
            self._start()
        assert self._band is not None, "they were started"
        self._awaited = True
        self._band.broadcast(LoadModel(model=card.name, settings=dict(settings)))

    def take_transformers(self, transformers: Sequence[Any]) -> bool:
        """Return whether other ranks share the call, now that its model is loaded.

        Args:
            transformers: Of the pipeline; their tokens are split among the ranks.
        """
        self._parts = transformers
        return self._sharing > 1

    def facts(self) -> dict[str, Any]:
        """Return the devices of the video for the record, and why some are left out."""
        import torch

        from tiomagic_local.torch_env.devices import describe_device

        names = [torch.device(name) for name in self._devices[: self._sharing]]
        facts: dict[str, Any] = {"devices": [describe_device(name) for name in names]}
        return facts if self._reason is None else {**facts, "refused": self._reason}

    @property
    def is_busy(self) -> bool:
        """Whether the other ranks have been called, and their call is not over."""
        return self._awaited

    def end_if_unused(self) -> None:
        """End the other ranks if they wait for a call that did not come."""
        if self._awaited:
            self.end()

    def _obstacle(self, card: ModelCard, settings: Mapping[str, Any]) -> str | None:
        """Return why a call of any model cannot use several devices; None when it can."""
        from tiomagic_local.context_parallel.process_group import has_process_group

        if os.name != "posix":
            return "it needs Linux or macOS"
        global _last  # noqa: PLW0603 - as the process group is.
        other = None if _last is None else _last()
        if other is not None and other is not self and not other.is_busy:
            # Perhaps of a runtime with other settings: a process has only one group.
            other.end()
        _last = weakref.ref(self)
        if has_process_group() and self._config is None:
            return "this process has a torch process group already"
        if models().get(card.name) is None:
            return f"the model {card.name!r} is known to this process only"
        for name, value in settings.items():
            if not _is_picklable(value):
                return f"{name} is an object of this process"
        return None

    @contextlib.contextmanager
    def run_in_step(self, request: Request, cancel: CancelToken) -> Iterator[CancelToken]:
        """Run the block, which makes the call of a request, together with the other ranks.

        Args:
            request: With the model that they have loaded.
            cancel: Checked while waiting for them.

        Yields:
            The cancel token for the call, instead of ``cancel``: it also reports failures of other
                ranks.

        Raises:
            GenerationError: when one of them fails; then all are ended.
        """
        import torch

        from tiomagic_local.context_parallel.sharding import shard_transformers

        band, device = self._band, torch.device(self._devices[0])
        assert band is not None, "the ranks were called"
        try:
            if not band.wait_for(ModelReady, LOAD_TIMEOUT_S, cancel.raise_if_canceled):
                raise GenerationError(
                    f"the devices {', '.join(band.devices[1:])} have not loaded the model "
                    f"{LOAD_TIMEOUT_S:.0f} s after {self._devices[0]}",
                    code=ErrorCode.RANK_LATE,
                )
            with _current(device):
                self._run(band, request, device)
                with shard_transformers(self._parts, self._config):
                    band.reset_stall_timer(on=True)
                    yield _CancelOrFailureToken(band, cancel)
                    band.reset_stall_timer(on=False)
            if not band.wait_for(CallDone, FINISH_TIMEOUT_S):
                self.end()
            self._awaited = False
        except BaseException as error:
            is_reported = isinstance(error, GenerationError)
            stopped = isinstance(error, GenerationCanceledError)
            broke = is_reported and not stopped and band.wait_for_failure(FAILURE_GRACE_S)
            self.end()
            if broke and error is not band.failure:
                band.raise_if_failed()
            raise

    def end(self) -> None:
        """End the other ranks, if any, and leave their process group."""
        if self._band is not None:
            self._forget()
        self._band = self._config = None
        self._awaited = False

    def _start(self) -> None:
        import torch

        self.end()
        threads = torch.get_num_threads()
        devices = self._devices[: self._sharing]
        band = RankProcesses(devices, self._options, threads=threads, on_end=_freed)
        self._band = band
        self._forget = weakref.finalize(self, _left, band)

    def _run(self, band: RankProcesses, request: Request, device: torch.device) -> None:
        from tiomagic_local.context_parallel.process_group import join_process_group

        band.broadcast(RunCall(inputs=request.inputs))
        if self._config is None:
            try:
                self._config = join_process_group(band.folder, 0, len(band.devices), device)
            except RuntimeError as error:
                raise GenerationError(
                    f"the devices {', '.join(band.devices)} did not come together: {error}",
                    code=ErrorCode.RANK_FAILED,
                ) from error


class _CancelOrFailureToken:
    """A cancel token that is set when the job is canceled or a rank has failed."""

    def __init__(self, band: RankProcesses, cancel: CancelToken) -> None:
        self._band = band
        self._cancel = cancel

    def raise_if_canceled(self) -> None:
        self._band.raise_if_failed()
        self._band.reset_stall_timer(on=True)
        self._cancel.raise_if_canceled()


def _is_picklable(value: object) -> bool:
    """Return whether a value can be sent to another process, whose ``__main__`` is another."""
    try:
        return b"__main__" not in pickle.dumps(value)
    # Pickling may raise any exception.
    except Exception:  # noqa: BLE001
        return False


def _left(band: RankProcesses) -> None:
    from tiomagic_local.context_parallel.process_group import leave_process_group

    band.end()
    leave_process_group()


def _freed() -> None:
    from tiomagic_local.context_parallel.process_group import abort_process_group

    abort_process_group()


def _current(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Make a GPU the current one, which the ranks' communication uses."""
    import torch

    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()
