"""``tm``: every feature of tiomagic as one method.

Loads nothing heavy; each method imports what it needs.
"""

# ruff: noqa: PLC0415 - `from tiomagic import tm` must cost next to nothing.

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

from tiomagic.api.batches import BatchMethods
from tiomagic.api.calls.methods import FeatureCalls
from tiomagic.api.continuing import ContinuationMethods
from tiomagic.api.jobs import JobMethods
from tiomagic.api.masks import MaskMethods
from tiomagic.api.models import ModelMethods
from tiomagic.api.run_options import RunOptions
from tiomagic.api.weights import WeightsMethods
from tiomagic.results.pictures import PictureMethods

if TYPE_CHECKING:
    from tiomagic.handle.handle import JobHandle
    from tiomagic.types import AnyArguments, FeatureName, ModelName, ProviderName
    from tiomagic.wiring.session import Session
    from tiomagic.wiring.setting_types import AllSettings, MoreSettings
    from tiomagic.wiring.settings import Settings


class TioMagic(
    FeatureCalls,
    ContinuationMethods,
    JobMethods,
    ModelMethods,
    WeightsMethods,
    MaskMethods,
    PictureMethods,
    BatchMethods,
):
    """tiomagic with one set of settings.

    ``from tiomagic import tm`` gives the shared instance. Yours can have its own settings, database
    and parts::

        mine = TioMagic(working_dir="/srv/videos", database_url="postgresql://…", provider="modal")

    Every part can be swapped for another that keeps the same port, for good or for a block::

        from tiomagic_domain.testing import FakeClock, FakeProvider

        tm = TioMagic(provider="local", overrides={"providers": {"local": FakeProvider(folder)}})
        with tm.override(clock=FakeClock()):
            ...

    Args:
        working_dir: Folder of ``generation_log.json``, ``output_videos``, ``.tiomagic`` and
            ``.env``; None for the process's working directory at the first use, ``configure``
            included. It stays the same when the process changes its directory later.
        overrides: Parts by name: ``clock``, ``repository``, ``outputs``, ``media``,
            ``pictures``, ``generation_log``, and ``providers``, a mapping of names to providers.
        **settings: See :mod:`tiomagic.wiring.settings`; they come before the environment
                and ``.env``.

    Raises:
        ValidationError, UnknownProviderError: when a setting or a part is refused.
    """

    def __init__(
        self,
        *,
        working_dir: str | Path | None = None,
        overrides: Mapping[str, Any] | None = None,
        **settings: Unpack[AllSettings],
    ) -> None:
        self._working_dir = None if working_dir is None else Path(working_dir)
        self._given = dict(settings)
        self._overrides = dict(overrides or {})
        self._made: Session | None = None
        self._session_lock = threading.Lock()
        if settings or overrides:
            _ = self.session  # What is refused should be refused here.

    def configure(
        self,
        provider: ProviderName | Sequence[ProviderName] | None = None,
        *,
        api_key: str | None = None,
        model_path: str | Path | None = None,
        gpu: str | None = None,
        timeout: int | str | None = None,
        scaledown_window: int | str | None = None,
        **more: Unpack[MoreSettings],
    ) -> None:
        """Change settings; those that you leave out keep their value.

        Args:
            provider: Who runs generations; one of ``get_providers()``, or several: the first that
                can run a call does (docs/costs.md).
            api_key: Key of a hosted service.
            model_path: Folder, or repository of the hub (``owner/name@revision``), with the
                weights of whatever model is asked for, or one file (``.safetensors``, ``.gguf``)
                with its transformer.
            gpu: Modal's name of a GPU, such as ``H100``.
            timeout: Seconds that one generation may take on Modal.
            scaledown_window: Seconds that an idle container on Modal is kept.
            **more: The other settings of :mod:`tiomagic.wiring.settings`, such as ``weights_dir``,
                ``device``, ``hf_token``, ``output_dir``, ``database_url``, ``worker_idle_s``,
                ``max_cost``, ``daily_budget``, ``monthly_budget``.

        Raises:
            UnknownProviderError: when there is no such provider; nothing has changed.
            ValidationError: when another value is refused; nothing has changed.
        """
        named = {
            "provider": provider,
            "api_key": api_key,
            "model_path": model_path,
            "gpu": gpu,
            "timeout": timeout,
            "scaledown_window": scaledown_window,
        }
        self.session.configure({**named, **more})

    @property
    def settings(self) -> Settings:
        """The current settings."""
        return self.session.settings

    def plan(
        self,
        feature: FeatureName,
        model: ModelName | None = None,
        **arguments: Unpack[AnyArguments],
    ) -> dict[str, Any]:
        """Return the plan of a call: model, arguments, device. Stores and runs nothing.

        Args:
            feature: Such as ``text_to_video``.
            model: Its name; None for the provider's default.
            **arguments: As for the call itself; of the options of how it runs only ``max_cost``
                counts.

        Returns:
            ``feature model provider passed_over gpu cost estimate width height num_frames fps
            seconds memory weights_gib gpu_memory_gib arguments asked notes unknown_words
            preflight``; what does not apply is None. ``unknown_words`` are those of the prompt that
            the model does not know. A seed that is left out is drawn when the job is made, and is
            not among the arguments.
            ``seconds`` is the length that you get: of a continuation the new part, of a loop
            without the frame that is left out. ``asked`` has your ``seconds``, ``aspect`` and
            ``resolution``, and ``notes`` says where the nearest that the model makes is not quite
            that. ``preflight`` says what the run would take: ``fit can_run is_here weights device
            plans plan main_memory_gib free_main_memory_gib time cost licence gated tokens checks
            alternatives`` (docs/preflight.md). Nothing is asked of the network for it.

        Raises:
            TioMagicError: as the call itself, before anything is stored; but a call that does not
                fit, or lacks a token, has its plan, with ``can_run`` False.
        """
        from tiomagic.api.arguments import Call
        from tiomagic.api.plan import plan

        call = Call.read(feature, model, None, arguments)
        limit = call.options.max_cost
        return plan(self.session, call.feature, call.model, call.arguments, max_cost=limit)

    def rerun(
        self,
        source: str | Path,
        *,
        provider: ProviderName | None = None,
        model: str | None = None,
        trust: bool = False,
        **overrides: Unpack[AnyArguments],
    ) -> JobHandle:
        """Make a video again, with the same seed unless you give another.

        Args:
            source: A job's id, a video of tiomagic, or the JSON file beside one.
            provider: Who is to run it; None for the configured provider, else the recipe's own.
                Of several that are configured the one that ran it.
            model: Another model. It gets the inputs, the seed and what you chose, as far as it has
                them, and its own defaults for the rest; ``job.changed_choices`` says what it did
                not take. None for the recipe's.
            trust: True to fetch the LoRAs and commits that a file names and you have not.
            **overrides: Arguments that replace the recipe's, such as ``seed=7``; None removes
                one. ``wait``, ``progress``, ``on_progress``, ``retry``, ``idempotency_key``,
                ``force``, ``preview`` and ``max_cost`` say how it runs, as in
                :meth:`text_to_video`.

        Raises:
            ResourceNotFoundError: when there is no such job or file, or an input is gone.
            ValidationError: when the file has no recipe, an argument is refused, an input is a path
                or an address, or, with the code ``untrusted_weights``, ``trust`` is needed.
        """
        from tiomagic.api.run import choose_rerun_providers, rerun
        from tiomagic.display.next_steps import advise_in_python
        from tiomagic.results.recipes import load_trusted_recipe

        recipe = advise_in_python()(load_trusted_recipe)(
            self.session, source, replaced=overrides.keys(), model=model, trust=trust
        )
        names = choose_rerun_providers(self.session, recipe, provider)
        options, changes = RunOptions.split(overrides)
        return rerun(self.session, recipe, names, changes, options, model)

    def unload(self) -> None:
        """Free the memory of models that are kept loaded. The next generation loads again."""
        from tiomagic.api.run import unload

        unload(self.session)

    @contextmanager
    def override(self, **parts: Any) -> Iterator[Self]:
        """Replace parts within a ``with`` block; see the class for their names.

        Raises:
            ValidationError: when there is no part of that name.
        """
        with self.session.override(parts):
            yield self

    def reset(self) -> None:
        """Reset the configuration, unload models, and close connections.

        As after the import: the environment, ``.env`` and the working directory are read again at
        the next use, and what the instance was made with still holds. Stored jobs stay.
        """
        with self._session_lock:
            made, self._made = self._made, None
        if made is not None:
            from tiomagic.api.run import unload

            try:
                if made.is_built:  # Else nothing was loaded.
                    unload(made)
            finally:
                made.close()

    def close(self) -> None:
        """Close the database and whatever else is open. A later call opens it again."""
        if self._made is not None:
            self._made.close()

    def __repr__(self) -> str:
        """Return the settings, without a secret."""
        return f"<TioMagic {self._made.settings}>" if self._made else "<TioMagic, not used yet>"

    @property
    def session(self) -> Session:
        """The session; for tiomagic's own modules, not part of the interface."""
        with self._session_lock:
            if self._made is None:
                from tiomagic.wiring.session import Session

                self._made = Session(self._working_dir, self._given, self._overrides)
            return self._made

    def _generate(
        self,
        feature: str,
        model: str | None,
        required_args: Mapping[str, Any] | None,
        arguments: dict[str, Any],
    ) -> JobHandle:
        from tiomagic.api.arguments import Call
        from tiomagic.api.run import run

        return run(self.session, Call.read(feature, model, required_args, arguments))
