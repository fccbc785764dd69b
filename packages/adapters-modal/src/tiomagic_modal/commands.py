"""The commands of ``tiomagic modal``; see :mod:`tiomagic_domain.plugins.commands`."""

from __future__ import annotations

from typing import Annotated, Final

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ResourceNotFoundError
from tiomagic_domain.plugins import CommandContext, CommandResult
from tiomagic_domain.usecases.consent import require_consent
from tiomagic_modal.constants import PROVIDER_NAME
from tiomagic_modal.deploy.administration import Administration
from tiomagic_modal.options import read_options

EXIT_AUTHENTICATION: Final = 4
EXIT_FAILED: Final = 5


def deploy(
    context: CommandContext, *, force: Annotated[bool, "Also replace a newer version."] = False
) -> CommandResult:
    """Deploy the app, or bring it up to date; the first time takes some minutes."""
    administration = _administration(context)
    context.say("looking at the app; to build its image takes some minutes the first time")
    found = administration.deploy(force=force)
    status = administration.status()
    return CommandResult({**status, "before": found.value}, f"{status['app']}: up to date")


def status(context: CommandContext) -> CommandResult:
    """Show the deployed version and how it differs from yours."""
    found = _administration(context).status()
    lines = [f"{name:10} {_shown(value)}" for name, value in found.items()]
    return CommandResult(found, "\n".join(lines))


def stop(context: CommandContext) -> CommandResult:
    """Stop the app and all its containers. Running jobs are lost; the next job deploys again."""
    stopped = _administration(context).stop()
    text = "stopped; no container is left, only the Volumes" if stopped else "nothing was deployed"
    return CommandResult({"stopped": stopped}, text)


def prefetch(
    context: CommandContext,
    model: Annotated[str, "Name of the model; see: tiomagic models."],
    *,
    accept_terms: Annotated[str, "Accept the terms of a model that has some, by its name."] = "",
) -> CommandResult:
    """Download a model's weights to the Volume, on a container without a GPU."""
    require_consent(find_model(model), {*context.accepted_terms, accept_terms})
    administration = _administration(context)
    context.say(f"fetching the weights of {model}; a large model takes up to half an hour")
    found = administration.prefetch(model)
    return CommandResult({"model": model, "weights": found}, f"{model}: {found}")


def logs(context: CommandContext, job_id: Annotated[str, "Id of the job."]) -> CommandResult:
    """Show the output of a job's container."""
    job = context.find_job(job_id)
    if job.provider != PROVIDER_NAME or not job.call_id:
        raise ResourceNotFoundError(f"job {job_id} has no call on Modal that is known here")
    lines = list(_administration(context).logs(job.call_id))
    return CommandResult({"job_id": job_id, "lines": lines}, "\n".join(lines))


def doctor(context: CommandContext) -> CommandResult:
    """Check token, workspace, app and secret, and say how to fix them."""
    found = _administration(context).run_checks()
    plain = [{"subject": f.subject, "fine": f.is_ok, "message": f.message} for f in found]
    rows = [("ok" if f.is_ok else "!!", f.subject, f.message) for f in found]
    text = "\n".join(f"{mark}  {name:10} {message}" for mark, name, message in rows)
    failed = {f.subject for f in found if not f.is_ok}
    code = (EXIT_AUTHENTICATION if "token" in failed else EXIT_FAILED) if failed else 0
    return CommandResult(plain, text, code)


COMMANDS = (deploy, status, stop, prefetch, logs, doctor)


def _administration(context: CommandContext) -> Administration:
    return Administration(read_options(context.settings))


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={text}" for name, text in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "nothing")
