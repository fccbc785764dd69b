"""A server over a fake provider as a process of its own, to be killed: ``FOLDER DATABASE``."""

import sys
from datetime import timedelta
from pathlib import Path

import uvicorn
from tests.server.conftest import MODEL, make_tm

from tiomagic.ui.web.server import listen
from tiomagic_domain.testing import FakeProvider
from tiomagic_server.application import create_app
from tiomagic_server.options import ServeOptions
from tiomagic_server.serving import configure
from tiomagic_server.webhooks import dispatching


def main(folder: Path, database: str) -> None:
    """Serve until it is killed; the address is the only line of the output."""
    # A test need not wait for half a minute until the delivery of a dead process is free.
    dispatching.LEASE = timedelta(seconds=1)
    provider = FakeProvider(folder / "spool", name="local", default_model=MODEL)
    tm = make_tm(folder, provider, database_url=database)
    opened = listen("127.0.0.1", 0)
    print(f"http://127.0.0.1:{opened.getsockname()[1]}", flush=True)
    options = ServeOptions(allow_private_webhooks=True)
    uvicorn.Server(configure(create_app(tm, options))).run(sockets=[opened])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
