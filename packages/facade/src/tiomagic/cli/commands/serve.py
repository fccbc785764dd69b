"""``tiomagic serve``."""

from __future__ import annotations

from contextlib import closing

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import Output, reporting
from tiomagic.cli._run import connect
from tiomagic.cli.serving import options as s


def serve(  # noqa: PLR0913 - one for each option
    action: s.Action = s.ServeAction.RUN,
    what: s.What = None,
    name: s.Name = None,
    *,
    host: s.Host = "127.0.0.1",
    port: s.Port = 8000,
    workers: s.Workers = 1,
    allowed_host: s.AllowedHost = None,
    allow_weights: s.AllowWeights = False,
    allow_private_webhooks: s.AllowPrivateWebhooks = False,
    ui: s.Ui = False,
    url: s.Url = None,
    jobs_per_minute: s.JobsPerMinute = 60,
    daily_budget: s.DailyBudget = None,
    monthly_budget: s.MonthlyBudget = None,
    provider: o.Provider = None,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Answer video clients of OpenAI and OpenRouter.

    Runs until Ctrl-C or SIGTERM. Jobs go on without it, and it finds them when it is started again.
    """
    with reporting(as_json=as_json, debug=debug) as output:
        _refuse_word(action, what)
        word = (what or s.ListAction.LIST).value
        from tiomagic.wiring.extras import load_server  # noqa: PLC0415  # Not for --help.

        server = load_server()
        # A wrong setting is said before it listens.
        with closing(connect(output, provider=provider)) as tm:
            if action is s.ServeAction.KEYS:
                from tiomagic.cli.serving.keys import manage_keys  # noqa: PLC0415  # The same.

                limits = {
                    "jobs_per_minute": jobs_per_minute,
                    "daily_budget": daily_budget,
                    "monthly_budget": monthly_budget,
                    "page": ui,
                }
                keys = server.ClientKeys(tm.settings.state_dir)
                manage_keys(output, keys, tm, word, name, limits)
                return
            if action is s.ServeAction.WEBHOOKS:
                from tiomagic.cli.serving.webhooks import manage_webhooks  # noqa: PLC0415

                manage_webhooks(output, server, tm, word, name, url)
                return
        options = server.ServeOptions(
            host=host,
            port=port,
            workers=workers,
            allowed_hosts=tuple(allowed_host or ()),
            allow_weights=allow_weights,
            allow_private_webhooks=allow_private_webhooks,
            provider=provider,
            ui=ui,
        )
        server.serve(options, lambda address: _say_started(output, address))


def _say_started(output: Output, address: str) -> None:
    output.data(address, address)
    output.say("Ctrl-C ends the server; jobs go on.")


def _refuse_word(action: s.ServeAction, what: s.ListAction | None) -> None:
    if action is s.ServeAction.RUN and what is not None:
        of = "webhooks" if what in {s.ListAction.ROTATE, s.ListAction.LOG} else "keys"
        message = f"run takes no further word; did you mean 'tiomagic serve {of} {what.value}'?"
        raise typer.BadParameter(message, param_hint="WHAT")
