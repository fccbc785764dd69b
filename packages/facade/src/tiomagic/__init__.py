"""One Python interface to many video generation models.

::

    from tiomagic import tm

    tm.configure(provider="local")
    job = tm.text_to_video(prompt="a fox runs through snow")
    print(job.result_video)

Importing this package reads no file, opens no connection and loads nothing heavy: ``tm`` looks at
its settings when it is first used.

``api``            The methods of ``tm``, and their asynchronous twin.
``cli``            The command line: ``main`` wires the commands, which parse, ask ``tm`` and
                   print.
``core``           What tiomagic 1.0.0 had here, for scripts that were written for it.
``demo``           One clip of each feature, made with the model that comes along: what ``tiomagic
                   demo`` shows.
``display``        Output while a job runs: progress bars, notebooks, log events, safe writing to
                   streams.
``doctor``         The checks of ``tiomagic doctor``: settings, database, folders, providers,
                   extras.
``errors``         The errors of tiomagic; see :mod:`tiomagic_domain.errors` for the tree and who
                   can mend what.
``handle``         The job handle: its fields, events and waiting.
``results``        Results of jobs: recipes, pictures, exports, comparisons.
``types``          The types of what ``tm`` takes: names as ``Literal``, arguments as
                   ``TypedDict``.
``ui``             The web page: ``tiomagic ui``.
``wiring``         Settings, the container, and how each part is built.
``worker``         The background worker: ``python -m tiomagic.worker``, started by the process
                   that submits a job.
"""

from __future__ import annotations

import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # ``python -m tiomagic`` looks in the working folder first, where a file may bear the name of a
    # module. While it looks for what to run, this is what the arguments begin with.
    del sys.path[0]

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiomagic import errors as errors
    from tiomagic.api.aio import AsyncTioMagic as AsyncTioMagic
    from tiomagic.api.client import TioMagic as TioMagic
    from tiomagic.handle.events import JobEvent as JobEvent
    from tiomagic.handle.handle import JobHandle as JobHandle
    from tiomagic.wiring.settings import Settings as Settings

    tm: TioMagic
    """The shared instance, with the settings of this process."""

__all__ = [
    "AsyncTioMagic",
    "JobEvent",
    "JobHandle",
    "Settings",
    "TioMagic",
    "__version__",
    "errors",
    "tm",
]
__version__ = "2.0.0"

_CLASSES = {
    "AsyncTioMagic": "tiomagic.api.aio",
    "TioMagic": "tiomagic.api.client",
    "JobEvent": "tiomagic.handle.events",
    "JobHandle": "tiomagic.handle.handle",
    "Settings": "tiomagic.wiring.settings",
}


def __getattr__(name: str) -> Any:
    # Lazy: a program that needs only the version or an error imports nothing else.
    from importlib import import_module  # noqa: PLC0415

    found: Any
    if name == "tm":
        found = import_module("tiomagic.api.client").TioMagic()
    elif name == "errors":
        found = import_module("tiomagic.errors")
    elif name in _CLASSES:
        found = getattr(import_module(_CLASSES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Two threads may both get here: the first one's instance is everybody's.
    return globals().setdefault(name, found)


def __dir__() -> list[str]:
    return sorted(__all__)
