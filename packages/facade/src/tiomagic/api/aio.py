"""``AsyncTioMagic``: the methods of ``tm`` for services that run an event loop.

One function forwards them; only what is done otherwise on a loop is written here. Loads nothing
heavy; each method imports what it needs.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Concatenate, Final, Literal, ParamSpec, Self, TypeVar, Unpack

from tiomagic.api.calls.async_methods import AsyncFeatureCalls
from tiomagic.api.client import TioMagic
from tiomagic_domain.ports.clock import POLL_INTERVAL_S

if TYPE_CHECKING:
    from tiomagic.handle.events import JobEvent
    from tiomagic.handle.handle import JobHandle
    from tiomagic.wiring.setting_types import InstanceOptions
    from tiomagic.wiring.settings import Settings
    from tiomagic_domain.progress import ProgressSink

P = ParamSpec("P")
T = TypeVar("T")

MAX_QUERY_THREADS = 8
"""Threads for short calls: look-ups, checks, cancels."""
MAX_RUN_THREADS = 4
"""Threads for calls that make a video, which may take as long as the video."""


def _forward(
    method: Callable[Concatenate[TioMagic, P], T], pool: Literal["look", "run"] = "look"
) -> Callable[Concatenate[AsyncTioMagic, P], Coroutine[Any, Any, T]]:
    """Return a method of ``tm`` as one to await, with the same parameters.

    Args:
        method: Which one.
        pool: ``run`` for what may take as long as a video.
    """

    @functools.wraps(method)
    async def awaited(self: AsyncTioMagic, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # By its name: a class of one's own may have another method.
        own = getattr(self._tm, method.__name__)
        return await self._beside(pool, lambda: own(*args, **kwargs))

    return awaited


class AsyncTioMagic(AsyncFeatureCalls):
    """``tm`` for ``async`` code: the same methods, awaitable; the event loop is never blocked.

    ::

        async with AsyncTioMagic(provider="local") as tm:
            job = await tm.text_to_video(prompt="a fox", wait=False)
            async for event in tm.events(job.job_id):
                print(event)

    The work is done in threads, a bounded number of them: calls that make a video have their own,
    so that a short call never waits for a video. A wait holds no thread between two polls.

    When the awaiting task is cancelled, what it waits for is not: a call that has begun goes on to
    its end, and its job can be found, followed and canceled. A call that has not begun does not.

    The handles are those of ``tm``. Their attributes can be read anywhere; of their methods
    ``wait_async`` and ``events_async`` belong on a loop, and :meth:`call` takes the others there:
    ``await tm.call(job.tag, "keep")``.

    Args:
        tm: The instance to forward to; None for a new one, which ``aclose`` closes.
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
        """Run a blocking call of ``tm`` or a handle in a thread, and return its result."""
        return await self._beside("look", lambda: function(*args, **kwargs))

    async def get_settings(self) -> Settings:
        """Return the settings that hold now."""
        return await self.call(lambda: self._tm.settings)

    async def wait(
        self,
        job_id: str,
        timeout: float | None = None,  # noqa: ASYNC109 - as the handle's own
        *,
        poll: float = POLL_INTERVAL_S,
        on_progress: ProgressSink | None = None,
        cancel_on_timeout: bool = False,
        preview: bool = False,
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
            preview=preview,
            blocking=self.call,
        )
        return JobHandle(job, self._tm.session)

    async def events(
        self,
        job_id: str,
        timeout: float | None = None,  # noqa: ASYNC109 - as the handle's own
        *,
        poll: float = POLL_INTERVAL_S,
        preview: bool = False,
    ) -> AsyncIterator[JobEvent]:
        """Yield the events of a job; see ``JobHandle.events``."""
        from tiomagic.handle.events import events_async  # noqa: PLC0415  # Not for the import.
        from tiomagic.handle.handle import JobHandle  # noqa: PLC0415  # The same.

        session = await self.call(lambda: self._tm.session)
        following = events_async(
            session,
            job_id,
            lambda job: JobHandle(job, session),
            timeout=timeout,
            poll=poll,
            preview=preview,
            blocking=self.call,
        )
        async for event in following:
            yield event

    check_generation_status: Final = _forward(TioMagic.check_generation_status)
    cancel_job: Final = _forward(TioMagic.cancel_job)
    recover: Final = _forward(TioMagic.recover)
    get_job: Final = _forward(TioMagic.get_job)
    list_jobs: Final = _forward(TioMagic.list_jobs)
    costs: Final = _forward(TioMagic.costs)
    export_jobs: Final = _forward(TioMagic.export_jobs)
    delete_job: Final = _forward(TioMagic.delete_job)
    contact_sheet: Final = _forward(TioMagic.contact_sheet)
    poster: Final = _forward(TioMagic.poster)
    last_frame: Final = _forward(TioMagic.last_frame)
    convert: Final = _forward(TioMagic.convert)
    inspect: Final = _forward(TioMagic.inspect)
    get_recipe: Final = _forward(TioMagic.get_recipe)
    get_providers: Final = _forward(TioMagic.get_providers)
    get_models: Final = _forward(TioMagic.get_models)
    get_default_model: Final = _forward(TioMagic.get_default_model)
    download: Final = _forward(TioMagic.download, "run")
    make_mask: Final = _forward(TioMagic.make_mask, "run")
    rehearse: Final = _forward(TioMagic.rehearse)
    get_schema: Final = _forward(TioMagic.get_schema)
    get_json_schema: Final = _forward(TioMagic.get_json_schema)
    list_implementations: Final = _forward(TioMagic.list_implementations)
    plan: Final = _forward(TioMagic.plan)
    configure: Final = _forward(TioMagic.configure)

    rerun: Final = _forward(TioMagic.rerun, "run")
    extend: Final = _forward(TioMagic.extend, "run")
    batch: Final = _forward(TioMagic.batch, "run")
    compare: Final = _forward(TioMagic.compare, "run")
    unload: Final = _forward(TioMagic.unload, "run")
    reset: Final = _forward(TioMagic.reset, "run")

    async def aclose(self) -> None:
        """Wait for running calls, and close this instance's own resources."""
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
        method = getattr(self._tm, feature)
        return await self._beside("run", lambda: method(model, required_args, **arguments))

    async def _beside(self, kind: str, function: Callable[[], T]) -> T:
        with self._lock:
            if kind not in self._pools:
                threads = self._threads[kind]
                self._pools[kind] = ThreadPoolExecutor(threads, f"tiomagic-{kind}")
            pool = self._pools[kind]
        return await asyncio.get_running_loop().run_in_executor(pool, function)
