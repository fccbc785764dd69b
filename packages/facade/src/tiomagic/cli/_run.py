"""Shared code of commands that make a video: settings, arguments, the run, the output file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

import typer

from tiomagic.cli._exit_codes import ExitCode
from tiomagic.cli._options import CommandRun
from tiomagic.cli._output import Output, command_words, reporting

if TYPE_CHECKING:
    from tiomagic import JobHandle, TioMagic
    from tiomagic.display.preview_file import PreviewFile
    from tiomagic.types import FeatureName, ModelName, ProviderName
    from tiomagic_domain.requests.rerun import RerunCall


def connect(
    output: Output,
    *,
    provider: str | None = None,
    model_path: str | None = None,
    accept_terms: Sequence[str] | None = None,
) -> TioMagic:
    """Return ``tm`` with the settings of a command line, and logging set up for it."""
    from tiomagic import TioMagic  # noqa: PLC0415  # Not for --help.
    from tiomagic.cli._logging import configure_logging  # noqa: PLC0415  # The same.

    tm = TioMagic(announce_jobs=False)  # A command prints the id on stdout itself.
    tm.configure(provider=cast("ProviderName | None", provider), model_path=model_path)
    if accept_terms:
        tm.configure(accepted_terms=[*tm.settings.accepted_terms, *accept_terms])
    configure_logging("debug" if output.debug else tm.settings.log_level)
    return tm


NO_PROMPT: Final = "give the prompt, or a recipe with --from"


def run_feature(
    feature: str,
    model: str | None,
    options: Mapping[str, str | None],
    assignments: list[str] | None,
    manner: CommandRun,
    source: str | None = None,
    *,
    more: Mapping[str, object] = MappingProxyType({}),
    continued: str | None = None,
) -> None:
    """Run one of the four features and show where the video is.

    Args:
        feature: Which one.
        model: None for the recipe's, or the provider's default.
        options: Texts by parameter name; None for what was left out.
        assignments: The texts of ``--set``.
        manner: How it runs.
        source: A recipe to begin with.
        more: Arguments that are no texts.
        continued: The video that goes on; None for a shot of its own.
    """
    with reporting(as_json=manner.as_json, debug=manner.debug) as output:
        if options["prompt"] is None and source is None and continued is None:
            raise typer.BadParameter(NO_PROMPT, param_hint="PROMPT")
        from tiomagic.cli._trust import ask_before_run  # noqa: PLC0415  # Not for --help.
        from tiomagic.cli._values import read_arguments  # noqa: PLC0415  # The same.
        from tiomagic.cli.warm.submit import submit  # noqa: PLC0415  # The same.

        tm = _connect_for(output, manner)
        if continued is not None:
            found = _continue(tm, continued, options["prompt"], model, source)
            options, more, model = {**options, "prompt": found.prompt}, found.arguments, found.model
        recipe = None
        if source is not None:
            given = _list_given(options, assignments, more)
            recipe = _recipe(
                output, tm, source, feature, replaced=given, model=model, trust=manner.trust
            )
        _set_provider(tm, recipe)
        usual = tm.get_default_model(feature=cast("FeatureName", feature))
        name = model or (recipe["model"] if recipe else usual)
        # Of several providers each has a default model of its own.
        wanted = model if model is None and recipe is None and tm.settings.other_providers else name
        arguments = {**read_arguments(feature, name, options, assignments, more), **more}
        target = check_target(manner.output)  # Before the run, which may take hours.
        previews = find_preview(output, manner.preview, waits=manner.wait)
        if manner.dry_run:
            show_plan(output, tm, feature, wanted, arguments, recipe=recipe, manner=manner)
            return
        ask_before_run(output, tm, name, {**_arguments_of(recipe), **arguments}, manner)
        if shows_progress(manner):
            show_sizes(output, feature, name, arguments, recipe)
        call = partial(_choose_call(tm, feature, wanted, source, manner), **arguments)
        provider = tm.session.configured_provider()
        job = submit(output, tm, manner, provider, name, call, previews=previews)
        wait_and_show(output, job, manner, target, previews=previews)


def _connect_for(output: Output, manner: CommandRun) -> TioMagic:
    """Return ``tm`` with the settings of a command that makes a video."""
    return connect(
        output,
        provider=manner.provider,
        model_path=manner.model_path,
        accept_terms=manner.accept_terms,
    )


def _list_given(
    options: Mapping[str, str | None],
    assignments: list[str] | None,
    more: Mapping[str, object],
) -> set[str]:
    """Return the names of the arguments that replace those of a recipe."""
    given = {*more, *(name for name, text in options.items() if text is not None)}
    return given | {one.partition("=")[0].strip().replace("-", "_") for one in assignments or []}


def _arguments_of(recipe: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the arguments of a recipe; none without one."""
    return {} if recipe is None else {**recipe["required_args"], **recipe["optional_args"]}


def _choose_call(
    tm: TioMagic, feature: str, model: str | None, source: str | None, manner: CommandRun
) -> Callable[..., Any]:
    """Return the method of ``tm`` that makes the video, with its model and its options."""
    options: dict[str, Any] = {
        "retry": manner.retry,
        "force": manner.force,
        "max_cost": manner.max_cost,
    }
    if source is None:
        return partial(getattr(tm, feature), model, **options)
    # It was asked about before.
    return partial(tm.rerun, source, model=model, trust=True, **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Continued:
    """What a command continues."""

    prompt: str | None
    model: str | None
    arguments: Mapping[str, object]


def _continue(
    tm: TioMagic, video: str, prompt: str | None, model: str | None, source: str | None
) -> _Continued:
    """Return what is continued: with a recipe its prompt and model count, else the video's own."""
    from tiomagic.api.continuing import find_continued  # noqa: PLC0415  # Not for --help.

    found = find_continued(tm.session, video, prompt=prompt, model=model)
    own = source is None
    return _Continued(
        prompt=found.prompt if own else prompt,
        model=found.model if own else model,
        arguments={"continued_video": found.video},
    )


def _set_provider(tm: TioMagic, recipe: Mapping[str, Any] | None) -> None:
    """Configure the provider, unless it is: the recipe's, else the default."""
    from tiomagic.wiring.provider_names import DEFAULT_PROVIDER  # noqa: PLC0415  # Not for --help.

    if tm.settings.provider is None:
        name = str(recipe["provider"]) if recipe else DEFAULT_PROVIDER
        tm.configure(provider=cast("ProviderName", name))


def show_plan(
    output: Output,
    tm: TioMagic,
    feature: str,
    model: str | None,
    arguments: Mapping[str, Any],
    *,
    recipe: Mapping[str, Any] | None,
    manner: CommandRun,
) -> None:
    """Show what a run would take."""
    from tiomagic.display.plans import describe_plan  # noqa: PLC0415  # Not for --help.

    if recipe is not None and model is not None:
        arguments = show_changes(output, recipe, model, arguments).arguments
    planned = tm.plan(
        cast("FeatureName", feature),
        cast("ModelName | None", model),
        max_cost=manner.max_cost,
        **arguments,
    )
    output.data(planned, describe_plan(planned, command_words(), forced=manner.force))


def show_changes(
    output: Output, recipe: Mapping[str, Any], model: str, overrides: Mapping[str, object]
) -> RerunCall:
    """Say which of a recipe's choices another model does not take, and return the whole call."""
    call = _rerun_call(recipe, model, overrides)
    for change in call.changes:
        output.say(str(change))
    return call


def _rerun_call(
    recipe: Mapping[str, Any], model: str, overrides: Mapping[str, object]
) -> RerunCall:
    from tiomagic_domain.catalogue import find_model  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.requests.rerun import build_rerun_call  # noqa: PLC0415  # The same.

    return build_rerun_call(recipe, find_model(model), overrides)


def show_sizes(
    output: Output,
    feature: str,
    model: str,
    arguments: Mapping[str, object],
    recipe: Mapping[str, Any] | None = None,
) -> None:
    """Say what a model makes of seconds, aspect and resolution, if they are given."""
    from tiomagic_domain.catalogue import find_feature, find_model  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.requests.asked_sizes import describe_sizes  # noqa: PLC0415  # The same.

    whole = arguments if recipe is None else _rerun_call(recipe, model, arguments).arguments
    found = describe_sizes(find_model(model), find_feature(feature), whole)
    if found is not None:
        output.say(f"{model}: {found}")


def _recipe(
    output: Output,
    tm: TioMagic,
    source: str,
    feature: str,
    *,
    replaced: set[str],
    model: str | None,
    trust: bool,
) -> dict[str, Any]:
    """Return a recipe of a feature.

    Raises:
        ValidationError: when it is of another one, or may not be used.
    """
    from tiomagic.cli._trust import confirm_recipe  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.errors import Problem, ValidationError  # noqa: PLC0415  # The same.

    recipe = confirm_recipe(output, tm, source, replaced=replaced, model=model, trust=trust)
    if recipe["feature"] != feature:
        other = str(recipe["feature"]).replace("_", "-")
        message = f"is a recipe of another feature; use: tiomagic {other}"
        problem = Problem(field="--from", message=message, given=repr(source))
        raise ValidationError.of([problem], subject="the command line")
    return recipe


def shows_progress(manner: CommandRun) -> bool:
    """Return whether progress is shown: a bar on a terminal, plain lines elsewhere."""
    return not (manner.quiet or manner.as_json)


def wait_and_show(
    output: Output,
    job: JobHandle,
    manner: CommandRun,
    target: Path | None,
    *,
    compared: bool = False,
    previews: PreviewFile | None = None,
) -> None:
    """Wait for a job as far as it is wanted, put its video in place, and show it.

    Args:
        output: Where it is shown.
        job: Which one.
        manner: How the job is made.
        target: Where a copy of the video belongs; None for nowhere.
        compared: True to report differences from the repeated recipe's run.
        previews: Writes each preview; None for none.
    """
    if not manner.wait:
        output.data(job.to_dict(), job.job_id)
        return
    output.say(f"job {job.job_id}")
    if not job.is_over:
        wait_for_job(output, job, manner.timeout, shows=shows_progress(manner), previews=previews)
    show_result(output, job, target, compared=compared)


def find_preview(output: Output, path: str | None, *, waits: bool) -> PreviewFile | None:
    """Return what writes the previews of a command, and say where; None when none are wanted.

    Raises:
        typer.BadParameter: when the command does not wait for the job.
        ValidationError: when the file cannot be written, or is to be no JPEG.
    """
    from tiomagic.display.preview_file import PreviewFile  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.errors import Problem, ValidationError  # noqa: PLC0415  # The same.

    target = check_target(path, field="--preview")
    if target is None:
        return None
    if not waits:
        hint = "a command that does not wait writes no previews: tiomagic status JOB --preview FILE"
        raise typer.BadParameter(hint, param_hint="--preview")
    if target.suffix.lower() not in {".jpg", ".jpeg"}:
        problem = Problem(field="--preview", message="must end in .jpg", given=repr(path))
        raise ValidationError.of([problem], subject="the command line")
    output.say(f"previews: {target}")
    return PreviewFile(target)


def wait_for_job(
    output: Output,
    job: JobHandle,
    timeout: float | None,
    *,
    shows: bool,
    previews: PreviewFile | None,
) -> None:
    """Wait for a job, with its progress shown and its previews written."""
    from tiomagic.handle.wait import wait_for  # noqa: PLC0415  # Not for --help.

    wait_for(
        job.session,
        job.record,
        timeout=timeout,
        progress=shows,
        on_progress=previews,
        preview=previews is not None,
        explain=output.say,
    )
    job.refresh()


def show_result(
    output: Output, job: JobHandle, target: Path | None = None, *, compared: bool = False
) -> None:
    """Show the end of a job; see ``wait_and_show``.

    Raises:
        typer.Exit: when it is canceled.
        JobExecutionError: when it failed.
    """
    if job.status == "canceled":
        output.data(job.to_dict(), "")
        output.say(f"job {job.job_id} was canceled")
        raise typer.Exit(ExitCode.CANCELED)
    from tiomagic.display.phrases.job_warnings import say_run_warnings  # noqa: PLC0415  # Heavy.
    from tiomagic.display.prices import explain_job_cost  # noqa: PLC0415  # Not for --help.
    from tiomagic.results.saving import copy_video  # noqa: PLC0415  # The same.
    from tiomagic_domain.money.cost import COST  # noqa: PLC0415  # The same.

    video = job.result()
    if target is not None:
        video = copy_video(video, target)
    summary = {**job.to_dict(), "output": str(video)}
    if compared:
        summary["differences"] = [difference.to_dict() for difference in job.differences]
    output.data(summary, str(video))
    if COST in job.record.facts:
        output.say(f"cost: {explain_job_cost(job.record.facts)}")
    for warning in say_run_warnings(job.record, command_words()):
        output.say(f"warning: {warning}")
    for difference in job.differences if compared else ():
        output.say(f"not as before: {difference}")


def check_target(path: str | None, *, field: str = "output") -> Path | None:
    """Return the target path of the video, checked before the run.

    Args:
        path: A file or a folder.
        field: The parameter of the command.

    Raises:
        ValidationError: when nothing can be written there.
    """
    from tiomagic_domain.errors import Problem, ValidationError  # noqa: PLC0415  # Not for --help.

    if path is None:
        return None
    target = Path(path).expanduser().absolute()
    folder = target if target.is_dir() else target.parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        message = f"cannot be written: {folder} is not a folder that you can write to"
        problem = Problem(field=field, message=message, given=repr(path))
        raise ValidationError.of([problem], subject="the command line")
    return target
