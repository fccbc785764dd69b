"""What can be said to ``tiomagic serve``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class ServeAction(StrEnum):
    """What is done with the server."""

    RUN = "run"
    KEYS = "keys"
    WEBHOOKS = "webhooks"


class ListAction(StrEnum):
    """What is done with the keys of its clients, or with their webhooks."""

    LIST = "list"
    ADD = "add"
    REMOVE = "remove"
    ROTATE = "rotate"
    LOG = "log"


Action = Annotated[
    ServeAction,
    typer.Argument(
        help="run: answer until Ctrl-C. keys: the keys of clients. webhooks: where messages go, "
        "and what became of them."
    ),
]
What = Annotated[
    ListAction | None,
    typer.Argument(
        help="With keys: list, add or remove. With webhooks: list, add, remove, rotate for a new "
        "secret, or log for the newest messages. List if left out. Nothing with run."
    ),
]
Name = Annotated[
    str | None,
    typer.Argument(help="Whose key or webhooks; webhooks without a name are the server's own."),
]
Host = Annotated[
    str, typer.Option(help="Address to listen on. Any but a loopback one needs a key.")
]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 for any that is free.")]
Workers = Annotated[
    int, typer.Option(min=1, max=64, help="Processes that answer; jobs have their own.")
]
AllowedHost = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A further name that the server answers to, such as the one of a proxy before it; "
        "several times for several.",
    ),
]
AllowWeights = Annotated[
    bool,
    typer.Option("--allow-weights", help="Let clients name weights: files here, and repositories."),
]
AllowPrivateWebhooks = Annotated[
    bool,
    typer.Option(
        "--allow-private-webhooks", help="Send webhooks to this machine and private networks."
    ),
]
Ui = Annotated[
    bool,
    typer.Option(
        "--ui",
        help="Serve the page of tiomagic ui too, at /. With keys add: the key opens the page, "
        "which shows the jobs of all.",
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        help="With webhooks add: gets messages about all jobs of the key, not only about those "
        "that name an address. Of webhooks that are there already it changes the address alone."
    ),
]
JobsPerMinute = Annotated[
    int, typer.Option(help="With keys add: most jobs that the client may submit in a minute.")
]
DailyBudget = Annotated[
    str | None,
    typer.Option(
        metavar="AMOUNT",
        help="With keys add: what the client's videos of a day (UTC) may cost together, such as "
        "2.50 (USD) or '2.50 EUR'.",
    ),
]
MonthlyBudget = Annotated[
    str | None,
    typer.Option(metavar="AMOUNT", help="With keys add: the same for a month."),
]
