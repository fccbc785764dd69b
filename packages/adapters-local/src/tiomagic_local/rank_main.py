"""One of the other ranks: ``python -m tiomagic_local.rank_main <descriptor> <parent>``.

It receives messages of its leader over an inherited socket, loads the same model, and makes the
same calls. It exits when the leader dies.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationCanceledError, TioMagicError
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_local.context_parallel.messages import (
    CallDone,
    LoadModel,
    ModelReady,
    RankFailed,
    RankSetup,
    RunCall,
    receive,
    send,
)

PARENT_POLL_S = 1.0
"""Seconds between two checks that the leader lives. Its death closes the socket, unless a forked
child holds it open."""


class DecodedElsewhereError(GenerationCanceledError):
    """All steps are done; only the leader decodes the frames."""


class Steps:
    """A progress sink that ends the call when all of its steps are done."""

    def __init__(self) -> None:
        self._done = False

    def __call__(self, progress: Progress) -> None:
        """Take one progress event."""
        if progress.phase is Phase.DENOISING:
            self._done = 0 < progress.steps <= progress.step
        elif progress.phase is Phase.DECODING and self._done:
            raise DecodedElsewhereError("decoded elsewhere")


class FollowerRank:
    """Makes the calls of its leader.

    Args:
        hello: The first message.
        connection: To the leader.
        parent: The leader's process.
    """

    def __init__(self, hello: RankSetup, connection: Connection, parent: int) -> None:
        import torch

        from tiomagic_local.runtime.pipeline_cache import Runtime
        from tiomagic_local.torch_env.devices import choose_device

        self._hello = hello
        self._connection = connection
        self._parent = parent
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._config: Any = None
        torch.set_num_threads(hello.threads)
        self._device = choose_device(hello.options.device)
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)
        self._runtime = Runtime(hello.options, ranks=hello.count)

    def serve(self) -> None:
        """Make calls until the process ends; does not return."""
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            self._perform(self._inbox.get())
            send(self._connection, CallDone())

    def _perform(self, load: LoadModel) -> None:
        from tiomagic_local.context_parallel.sharding import shard_transformers

        never, settings = NeverCanceled(), dict(load.settings)
        with self._runtime.use(find_model(load.model), settings, ignore_progress, never) as loaded:
            send(self._connection, ModelReady())
            run: RunCall = self._inbox.get()
            if self._config is None:
                from tiomagic_local.context_parallel.process_group import join_process_group

                hello = self._hello
                self._config = join_process_group(
                    hello.meeting, hello.rank, hello.count, self._device
                )
            with (
                shard_transformers(loaded.transformers, self._config),
                contextlib.suppress(DecodedElsewhereError),
            ):
                make = getattr(loaded.engine, run.inputs.feature.value)
                make(run.inputs, settings, Steps(), never)

    def _listen(self) -> None:
        status = 0
        try:
            # They mean that the leader has died.
            with contextlib.suppress(EOFError, OSError):
                while os.getppid() == self._parent:
                    if self._connection.poll(PARENT_POLL_S):
                        self._inbox.put(receive(self._connection))
        # A message may contain a class that cannot be unpickled here, with any exception.
        except Exception:  # noqa: BLE001
            traceback.print_exc()
            status = 1
        # The main thread may wait for the others in the process group, which nothing else ends.
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Serve the leader until it dies."""
    from tiomagic_local.torch_env.quiet import silence_libraries

    connection = Connection(int(sys.argv[1]))
    hello = receive(connection)
    try:
        with silence_libraries():
            FollowerRank(hello, connection, int(sys.argv[2])).serve()
    # Any exception must be reported to the leader.
    except Exception as error:  # noqa: BLE001
        text = error.message if isinstance(error, TioMagicError) else f"{error!r}"
        code = error.code if isinstance(error, TioMagicError) else ErrorCode.RANK_FAILED
        with contextlib.suppress(OSError):
            send(connection, RankFailed(message=text, code=code))
        # Threads of the process group would wait for the others.
        os._exit(1)


if __name__ == "__main__":
    main()
