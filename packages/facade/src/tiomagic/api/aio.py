"""``AsyncTioMagic``: the methods of ``tm`` for services that run an event loop.

Loads nothing heavy; each method imports what it needs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO, TypeVar, Unpack

from tiomagic.api.calls.async_methods import AsyncFeatureCalls
from tiomagic.api.client import TioMagic
from tiomagic_domain.ports.clock import POLL_INTERVAL_S

if TYPE_CHECKING:
    from tiomagic.api.arguments import JobFilters
    from tiomagic.api.batches import Batch, Comparison
    from tiomagic.handle.events import JobEvent
    from tiomagic.handle.handle import JobHandle
    from tiomagic.setting_types import AllSettings, InstanceOptions
    from tiomagic.types import (
        AnyArguments,
        AnyModel,
        AnyProvider,
        FeatureName,
        ModelName,
        ProviderName,
    )
    from tiomagic.wiring.settings import Settings
    from tiomagic_domain.progress import ProgressSink

    Source = JobHandle | str | Path
    OutputPath = str | Path | None

T = TypeVar("T")

MAX_QUERY_THREADS = 8
"""Threads for everything that takes a moment: questions, checks, cancels."""
MAX_RUN_THREADS = 4
"""Threads for calls that make a video, which may take as long as the video."""


class AsyncTioMagic(AsyncFeatureCalls):
    """``tm`` for ``async`` code: the same methods, awaitable; the event loop is never blocked.

    ::

        async with AsyncTioMagic(provider="local") as tm:
            job = await tm.text_to_video(prompt="a fox", wait=False)
            async for event in tm.events(job.job_id):
                print(event)

    The work is done in threads, a bounded number of them: calls that make a video have their own,
    so that a question never waits behind a video. A wait holds no thread between two looks.

    When the awaiting task is cancelled, what it waits for is not: a call that has begun goes on to
    its end, and its job can be found, followed and canceled. A call that has not begun does not.

    The handles are those of ``tm``. Their attributes can be read anywhere; of their methods
    ``wait_async`` and ``events_async`` belong on a loop, and :meth:`call` takes the others there:
    ``await tm.call(job.tag, "keep")``.

    Args:
        tm: Whose methods these are; None for an instance of its own, which ``aclose`` closes.
        runs: How many calls that make a video may be under way at once.
        **options: As for :class:`tiomagic.TioMagic`, when there is no ``tm``.

    Raises:
        ValidationError, UnknownProviderError: when a setting or a part is refused.
        TypeError: when both ``tm`` and options are given.
    """

    def __init__(
        self,
        tm: TioMagic | None = None,
        *,
        runs: int = MAX_RUN_THREADS,
        **options: Unpack[InstanceOptions],
    ) -> None:
        if tm is not None and options:
            raise TypeError(f"{', '.join(options)} cannot be given beside tm: configure it instead")
        self._owned = tm is None
        self._tm = TioMagic(**options) if tm is None else tm
        self._threads = {"look": MAX_QUERY_THREADS, "run": runs}
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._lock = threading.Lock()

    async def call(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Run anything of ``tm`` or of a handle that would block, and return what it returns."""
        return await self._beside("look", lambda: function(*args, **kwargs))

    async def configure(self, **settings: Unpack[AllSettings]) -> None:
        """Change settings; see :meth:`tiomagic.TioMagic.configure`."""
        await self.call(self._tm.configure, **settings)

    async def get_settings(self) -> Settings:
        """Return the settings that hold now."""
        return await self.call(lambda: self._tm.settings)

    async def rerun(
        self,
        source: str | Path,
        *,
        provider: ProviderName | None = None,
        **overrides: Unpack[AnyArguments],
    ) -> JobHandle:
        """Make a video again; see :meth:`tiomagic.TioMagic.rerun`."""
        return await self._run(self._tm.rerun, source, provider=provider, **overrides)

    async def wait(
        self,
        job_id: str,
        timeout: float | None = None,  # noqa: ASYNC109 - as the handle's own
        *,
        poll: float = POLL_INTERVAL_S,
        on_progress: ProgressSink | None = None,
        cancel_on_timeout: bool = False,
    ) -> JobHandle:
        """Wait until a job is over and return its handle; see ``JobHandle.wait``.

        ``on_progress`` is called on the loop.
        """
        from tiomagic.handle.handle import JobHandle  # noqa: PLC0415  # The same.
        from tiomagic.handle.wait import wait_async  # noqa: PLC0415  # Not for the import.

        stored = await self.get_job(job_id)
        job = await wait_async(
            self._tm.session,
            stored.record,
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            cancel_on_timeout=cancel_on_timeout,
            blocking=self.call,
        )
        return JobHandle(job, self._tm.session)

    async def events(
        self,
        job_id: str,
        timeout: float | None = None,  # noqa: ASYNC109 - as the handle's own
        *,
        poll: float = POLL_INTERVAL_S,
    ) -> AsyncIterator[JobEvent]:
        """Give what happens to a job; see ``JobHandle.events``."""
        from tiomagic.handle.events import events_async  # noqa: PLC0415  # Not for the import.
        from tiomagic.handle.handle import JobHandle  # noqa: PLC0415  # The same.

        session = await self.call(lambda: self._tm.session)
        following = events_async(
            session,
            job_id,
            lambda job: JobHandle(job, session),
            timeout=timeout,
            poll=poll,
            blocking=self.call,
        )
        async for event in following:
            yield event

    async def check_generation_status(self, job_id: str) -> JobHandle:
        """Ask how a job is; see :meth:`tiomagic.TioMagic.check_generation_status`."""
        return await self.call(self._tm.check_generation_status, job_id)

    async def cancel_job(self, job_id: str, *, lost: bool = False) -> JobHandle:
        """Ask for a job to stop; see :meth:`tiomagic.TioMagic.cancel_job`."""
        return await self.call(self._tm.cancel_job, job_id, lost=lost)

    async def recover(self) -> list[JobHandle]:
        """Look after every job that is not over; see :meth:`tiomagic.TioMagic.recover`."""
        return await self.call(self._tm.recover)

    async def get_job(self, job_id: str) -> JobHandle:
        """Return a job as it is stored; see :meth:`tiomagic.TioMagic.get_job`."""
        return await self.call(self._tm.get_job, job_id)

    async def list_jobs(self, **filters: Unpack[JobFilters]) -> list[JobHandle]:
        """Return stored jobs; see :meth:`tiomagic.TioMagic.list_jobs`."""
        return await self.call(self._tm.list_jobs, **filters)

    async def export_jobs(
        self,
        path: str | Path | TextIO,
        format: str | None = None,  # noqa: A002 - as tm's own
        **filters: Unpack[JobFilters],
    ) -> int:
        """Write stored jobs to a file; see :meth:`tiomagic.TioMagic.export_jobs`."""
        return await self.call(self._tm.export_jobs, path, format, **filters)

    async def delete_job(self, job_id: str, files: bool = False) -> list[Path]:  # noqa: FBT001, FBT002
        """Forget a job that is over; see :meth:`tiomagic.TioMagic.delete_job`."""
        return await self.call(self._tm.delete_job, job_id, files)

    async def batch(self, requests: Sequence[Mapping[str, Any]], **options: Any) -> Batch:
        """Run many requests; see :meth:`tiomagic.TioMagic.batch`."""
        return await self._run(self._tm.batch, requests, **options)

    async def compare(self, feature: FeatureName, **axes: Any) -> Comparison:
        """Run a grid; see :meth:`tiomagic.TioMagic.compare`."""
        return await self._run(self._tm.compare, feature, **axes)

    async def contact_sheet(self, job: Source, path: OutputPath = None, **options: Any) -> Path:
        """Write a contact sheet; see :meth:`tiomagic.TioMagic.contact_sheet`."""
        return await self.call(self._tm.contact_sheet, job, path, **options)

    async def poster(self, job: Source, path: OutputPath = None) -> Path:
        """Write the middle frame; see :meth:`tiomagic.TioMagic.poster`."""
        return await self.call(self._tm.poster, job, path)

    async def last_frame(self, job: Source, path: OutputPath = None) -> Path:
        """Write the last frame; see :meth:`tiomagic.TioMagic.last_frame`."""
        return await self.call(self._tm.last_frame, job, path)

    async def convert(self, job: Source, to: str, path: OutputPath = None, **options: Any) -> Path:
        """Write it in another format; see :meth:`tiomagic.TioMagic.convert`."""
        return await self.call(self._tm.convert, job, to, path, **options)

    async def inspect(self, path: str | Path) -> dict[str, Any]:
        """Return the recipe of a video; see :meth:`tiomagic.TioMagic.inspect`."""
        return await self.call(self._tm.inspect, path)

    async def get_recipe(self, source: str | Path) -> dict[str, Any]:
        """Return what makes a video again; see :meth:`tiomagic.TioMagic.get_recipe`."""
        return await self.call(self._tm.get_recipe, source)

    async def get_providers(self) -> list[AnyProvider]:
        """Return who can be configured; see :meth:`tiomagic.TioMagic.get_providers`."""
        return await self.call(self._tm.get_providers)

    async def get_models(
        self,
        feature: FeatureName,
        provider: ProviderName | None = None,
        licence: str | None = None,
    ) -> list[AnyModel]:
        """Return the models for a feature; see :meth:`tiomagic.TioMagic.get_models`."""
        return await self.call(self._tm.get_models, feature, provider, licence)

    async def get_default_model(self, provider: ProviderName | None = None) -> AnyModel:
        """Return the model that runs when none is named."""
        return await self.call(self._tm.get_default_model, provider)

    async def rehearse(self, model: str, provider: str | None = None) -> dict[str, Any]:
        """Find out whether a model will run; see :meth:`tiomagic.TioMagic.rehearse`."""
        return await self.call(self._tm.rehearse, model, provider)

    async def get_schema(
        self, feature: FeatureName, model: ModelName
    ) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the parameters of a model; see :meth:`tiomagic.TioMagic.get_schema`."""
        return await self.call(self._tm.get_schema, feature, model)

    async def get_json_schema(self, feature: FeatureName, model: ModelName) -> dict[str, Any]:
        """Return them as JSON Schema; see :meth:`tiomagic.TioMagic.get_json_schema`."""
        return await self.call(self._tm.get_json_schema, feature, model)

    async def list_implementations(self) -> dict[str, dict[str, dict[str, str]]]:
        """Print the tree of models; see :meth:`tiomagic.TioMagic.list_implementations`."""
        return await self.call(self._tm.list_implementations)

    async def unload(self) -> None:
        """Free the memory of models that are kept loaded."""
        await self._run(self._tm.unload)

    async def reset(self) -> None:
        """Forget what was configured; see :meth:`tiomagic.TioMagic.reset`."""
        await self._run(self._tm.reset)

    async def aclose(self) -> None:
        """Wait for the calls that are under way, and close what is this instance's own."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await asyncio.to_thread(pool.shutdown)
        if self._owned:
            await asyncio.to_thread(self._tm.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def _generate(
        self,
        feature: str,
        model: str | None,
        required_args: Mapping[str, Any] | None,
        arguments: dict[str, Any],
    ) -> JobHandle:
        generate = self._tm._generate  # noqa: SLF001 - the same package
        return await self._run(generate, feature, model, required_args, arguments)

    async def _run(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        return await self._beside("run", lambda: function(*args, **kwargs))

    async def _beside(self, kind: str, function: Callable[[], T]) -> T:
        with self._lock:
            if kind not in self._pools:
                threads = self._threads[kind]
                self._pools[kind] = ThreadPoolExecutor(threads, f"tiomagic-{kind}")
            pool = self._pools[kind]
        return await asyncio.get_running_loop().run_in_executor(pool, function)
