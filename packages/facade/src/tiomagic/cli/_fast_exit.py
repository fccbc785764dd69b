"""Ends a command's process quickly, without the interpreter's slow shutdown."""

from __future__ import annotations

import atexit
import os
import sys
import threading

SLOW_TO_FREE_MODULE = "torch"
"""Once this is imported, millions of objects are."""


def exit_fast(code: object) -> None:
    """End the process here, if it has much that would be taken apart, with all that is due done.

    After the model libraries are imported, the interpreter frees every object of a process that is
    over: 2.5 s on a machine of two cores (``benchmarks/startup.py``), in which a person waits for
    the prompt. The handlers that were registered for the end run, and the output is written.

    Args:
        code: As ``SystemExit`` has it. One that is to be printed ends the usual way, and so does a
            process in which another thread has something to finish.

    Raises:
        BrokenPipeError: when the output has no reader.
    """
    if (
        SLOW_TO_FREE_MODULE not in sys.modules
        or not (code is None or isinstance(code, int))
        or _others_work()
    ):
        return
    # The module has no public name for what the interpreter calls here.
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def _others_work() -> bool:
    me = threading.current_thread()
    # Python waits for such threads at its end, so they may still have work.
    return any(not thread.daemon for thread in threading.enumerate() if thread is not me)
