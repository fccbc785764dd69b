"""One of the other ranks: ``python -m tiomagic_local.rank_main <descriptor> <parent>``.

It hears from its leader over a socket that it has inherited, loads what the leader loads, and makes
the same calls. When the leader is gone, it goes.
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
"""Seconds between two looks whether the leader is there. Its end closes the socket, unless a
process that it has forked holds it open."""


class DecodedElsewhereError(GenerationCanceledError):
    """All steps are done; the leader alone makes frames of them."""


class Steps:
    """A progress sink that ends the call when all of its steps are done."""

    def __init__(self) -> None:
        self._done = False

    def __call__(self, progress: Progress) -> None:
        """Take one moment."""
        if progress.phase is Phase.DENOISING:
            self._done = 0 < progress.steps <= progress.step
        elif progress.phase is Phase.DECODING and self._done:
            raise DecodedElsewhereError("decoded elsewhere")


class FollowerRank:
    """Makes the calls of its leader.

    Args:
        hello: Who it is.
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
        self._runtime = Runtime(hello.options, follows=True)

    def serve(self) -> None:
        """Make call after call; does not return."""
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
            # They say that the leader is gone.
            with contextlib.suppress(EOFError, OSError):
                while os.getppid() == self._parent:
                    if self._connection.poll(PARENT_POLL_S):
                        self._inbox.put(receive(self._connection))
        # A message that cannot be read may have a class of anybody's in it.
        except Exception:  # noqa: BLE001
            traceback.print_exc()
            status = 1
        # The main thread may wait for the others in the process group, which nothing else ends.
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Follow the leader until it is gone."""
    from tiomagic_local.torch_env.quiet import silence_libraries

    connection = Connection(int(sys.argv[1]))
    hello = receive(connection)
    try:
        with silence_libraries():
            FollowerRank(hello, connection, int(sys.argv[2])).serve()
    # Whatever it is, the leader has to hear of it.
    except Exception as error:  # noqa: BLE001
        text = error.message if isinstance(error, TioMagicError) else f"{error!r}"
        code = error.code if isinstance(error, TioMagicError) else ErrorCode.RANK_FAILED
        with contextlib.suppress(OSError):
            send(connection, RankFailed(message=text, code=code))
        # Threads of the process group would wait for the others.
        os._exit(1)


if __name__ == "__main__":
    main()
