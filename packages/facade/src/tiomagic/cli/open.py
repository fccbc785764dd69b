"""``tiomagic open``."""

from __future__ import annotations

from tiomagic.cli import options as o
from tiomagic.cli.making import connect
from tiomagic.cli.output import reporting


def open_(job_id: o.JobId, *, as_json: o.Json = False, debug: o.Debug = False) -> None:
    """Play the video of a job in the program that this machine has for it."""
    with reporting(as_json=as_json, debug=debug) as output:
        import typer  # noqa: PLC0415  # Loaded already.

        from tiomagic.pictures import video_of  # noqa: PLC0415  # Not for --help.
        from tiomagic_domain.errors import ProcessingError  # noqa: PLC0415  # The same.

        tm = connect(output)
        video = video_of(tm.get_job(job_id)._job)  # noqa: SLF001 - part of the facade
        # The path comes first: where nothing can play it, it can still be copied.
        output.data({"path": str(video)}, str(video))
        if typer.launch(str(video)) != 0:
            raise ProcessingError(
                f"no program could be started for {video}", details={"path": str(video)}
            )
