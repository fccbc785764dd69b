"""A folder of videos in the making that goes away while one is made."""

from pathlib import Path

import pytest

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.ports.provider import Report, Request
from tiomagic_domain.testing import RecordingObserver, make_job
from tiomagic_domain.workers.environmental_errors import is_environmental
from tiomagic_local.options import LocalOptions
from tiomagic_local.provider import LocalProvider
from tiomagic_local.runtime import run


@pytest.mark.parametrize("away", [True, False])
def test_a_folder_that_goes_away_is_told_from_a_video_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: bool
) -> None:
    """The first is over some day and says which folder it is; the second is the job's own."""
    spool = tmp_path / "spool"

    def break_off(*_given: object, **_rest: object) -> Report:
        if away:
            spool.rename(tmp_path / "aside")
            spool.write_text("in the way")
        raise ProcessingError("the video cannot be written")

    monkeypatch.setattr(run, "run_request", break_off)
    provider = LocalProvider(LocalOptions(), spool)
    request = Request(job=make_job(model="doodle"), card=find_model("doodle"))
    with pytest.raises(ProcessingError) as caught:
        provider.submit(request, RecordingObserver())
    assert is_environmental(caught.value) is away
    assert (str(spool) in caught.value.message) is away
