"""The methods of ``tm`` that make many videos."""

# ruff: noqa: PLC0415 - `from tiomagic import tm` must cost next to nothing.

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

if TYPE_CHECKING:
    from tiomagic.api.run_batches import Batch, Comparison
    from tiomagic.types import FeatureName, ModelName, SharedArguments
    from tiomagic.wiring.session import Session


class BatchMethods(ABC):
    """Many videos in one call. One that fails does not stop the others."""

    @property
    @abstractmethod
    def session(self) -> Session:
        """The settings and the parts; made at the first use."""

    def batch(
        self,
        requests: Sequence[Mapping[str, Any]],
        *,
        name: str | None = None,
        concurrency: int | None = None,
        progress: bool | None = None,
        force: bool = False,
    ) -> Batch:
        """Make many videos, and return when all are finished or have failed.

        Call the same batch again to resume it: finished videos are kept, running jobs are
        followed, and failed ones are tried again.

        Args:
            requests: A dict each: ``feature``, ``model`` if it is not the default, and the
                arguments. Inputs are paths, URLs or bytes; a file counts as the same by its name.
                Or ``from``, a job's id, a video or the JSON file beside one, with ``model`` and
                what is to be otherwise, as for :meth:`rerun`.
            name: Names the batch; None for a name made of the requests, so that the same requests
                are the same batch. Another name makes all videos again.
            concurrency: Jobs at once on a remote provider; None for 4, and 64 on a Ray cluster.
                On this machine they always run one after the other.
            progress: Whether stderr shows how many are done, as for :meth:`text_to_video`.
            force: True to run also what cannot work here, as for :meth:`text_to_video`.

        Raises:
            ConfigurationError: when no provider is configured.
            ValidationError: when a request has no feature, or the name or a recipe cannot be used.
                What else is wrong with one is in its cell.
            ResourceNotFoundError: when there is no such job or file to repeat.
        """
        from tiomagic.api.run_batches import batch

        return batch(
            self.session,
            requests,
            name=name,
            concurrency=concurrency,
            progress=progress,
            force=force,
        )

    def compare(
        self,
        feature: FeatureName,
        *,
        prompts: Sequence[str],
        models: Sequence[ModelName] | None = None,
        seeds: Sequence[int] = (0,),
        folder: str | Path | None = None,
        concurrency: int | None = None,
        progress: bool | None = None,
        force: bool = False,
        **settings: Unpack[SharedArguments],
    ) -> Comparison:
        """Make a video for each model, prompt and seed, and show them side by side.

        The folder gets ``comparison.mp4``, ``sheet.png``, ``cells.csv`` and ``cells.json``: time,
        seed, settings and failure of each. Call it again to resume.

        Args:
            feature: Such as ``text_to_video``.
            prompts: One or more.
            models: Names; None for the provider's default.
            seeds: One or more.
            folder: Where to; None for one in the folder of videos, named after the comparison.
            concurrency: As for :meth:`batch`.
            progress: As for :meth:`batch`.
            force: As for :meth:`batch`.
            **settings: Inputs and settings that all share.

        Raises:
            ConfigurationError: when no provider is configured.
            ValidationError: when a list is empty or a string. What a model refuses is in its cell.
        """
        from tiomagic.api.run_batches import compare

        return compare(
            self.session,
            feature,
            models=models,
            prompts=prompts,
            seeds=seeds,
            settings=settings,
            folder=folder,
            concurrency=concurrency,
            progress=progress,
            force=force,
        )
