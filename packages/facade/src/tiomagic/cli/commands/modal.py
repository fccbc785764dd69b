"""``tiomagic modal``: set up the Modal side, look at it, stop paying for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._exit_codes import ExitCode
from tiomagic.cli._output import Output, reporting
from tiomagic.cli._run import connect

if TYPE_CHECKING:
    from tiomagic_modal.deploy.administration import Administration

modal: typer.Typer = typer.Typer(
    name="modal",
    help="Set up the Modal side, look at it, stop paying for it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
ModelName = Annotated[str, typer.Argument(help="Name of the model; see: tiomagic models.")]


@modal.command()
def deploy(
    *,
    force: Annotated[bool, typer.Option("--force", help="Also replace a newer version.")] = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Deploy the app, or bring it up to date; the first time takes some minutes."""
    with reporting(as_json=as_json, debug=debug) as output:
        administration = _administration(output)
        output.say("looking at the app; to build its image takes some minutes the first time")
        found = administration.deploy(force=force)
        status = administration.status()
        output.data({**status, "before": found.value}, f"{status['app']}: up to date")


@modal.command()
def status(*, as_json: o.Json = False, debug: o.Debug = False) -> None:
    """Show what is deployed, and how it differs from what is installed."""
    with reporting(as_json=as_json, debug=debug) as output:
        found = _administration(output).status()
        lines = [f"{name:10} {_shown(value)}" for name, value in found.items()]
        output.data(found, "\n".join(lines))


@modal.command()
def stop(*, as_json: o.Json = False, debug: o.Debug = False) -> None:
    """Stop the app and all its containers. Running jobs are lost; the next job deploys again."""
    with reporting(as_json=as_json, debug=debug) as output:
        stopped = _administration(output).stop()
        text = (
            "stopped; no container is left, only the Volumes" if stopped else "nothing was deployed"
        )
        output.data({"stopped": stopped}, text)


@modal.command()
def prefetch(model: ModelName, *, as_json: o.Json = False, debug: o.Debug = False) -> None:
    """Download a model's weights to the Volume, on a container without a GPU."""
    with reporting(as_json=as_json, debug=debug) as output:
        administration = _administration(output)
        output.say(f"fetching the weights of {model}; a large model takes up to half an hour")
        found = administration.prefetch(model)
        output.data({"model": model, "weights": found}, f"{model}: {found}")


@modal.command()
def logs(job_id: o.JobId, *, as_json: o.Json = False, debug: o.Debug = False) -> None:
    """Show what a job's container printed."""
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic.errors import ResourceNotFoundError  # noqa: PLC0415  # Not for --help.

        job = connect(output).get_job(job_id)
        call_id = (job.generation or {}).get("call_id")
        if job.provider != "modal" or not call_id:
            raise ResourceNotFoundError(f"job {job_id} has no call on Modal that is known here")
        lines = list(_administration(output).logs(call_id))
        output.data({"job_id": job_id, "lines": lines}, "\n".join(lines))


@modal.command()
def doctor(*, as_json: o.Json = False, debug: o.Debug = False) -> None:
    """Look at token, workspace, app and secret, and say what to do."""
    with reporting(as_json=as_json, debug=debug) as output:
        found = _administration(output).run_checks()
        plain = [{"subject": f.subject, "fine": f.is_ok, "message": f.message} for f in found]
        rows = [("ok" if f.is_ok else "!!", f.subject, f.message) for f in found]
        output.data(plain, "\n".join(f"{mark}  {name:10} {text}" for mark, name, text in rows))
        if not all(f.is_ok for f in found):
            failed = any(f.subject == "token" and not f.is_ok for f in found)
            raise typer.Exit(ExitCode.AUTHENTICATION if failed else ExitCode.FAILED)


def _administration(output: Output) -> Administration:
    """Return the Modal side of the settings that hold."""
    from tiomagic.wiring.extras import part_missing_error  # noqa: PLC0415  # Not for --help.

    settings = connect(output).settings
    try:
        from tiomagic_modal.deploy.administration import Administration  # noqa: PLC0415  # The same.
        from tiomagic_modal.options import ModalOptions  # noqa: PLC0415  # The same.
    except ImportError as error:
        raise part_missing_error("modal", error) from error
    return Administration(
        ModalOptions(
            token_id=settings.modal_token_id,
            token_secret=settings.modal_token_secret,
            environment=settings.modal_environment,
        )
    )


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={text}" for name, text in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "nothing")
