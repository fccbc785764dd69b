"""A folder of videos in the making that goes away while one is made."""

from pathlib import Path

import pytest

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.ports.provider import Observer, Report, Request
from tiomagic_domain.testing import RecordingObserver, make_job
from tiomagic_domain.workers.environmental_errors import is_environmental
from tiomagic_local.options import LocalOptions
from tiomagic_local.provider import LocalProvider


class Breaks(LocalProvider):
    """The local provider, whose run cannot write; perhaps because its folder is gone."""

    away = False

    def _run(self, request: Request, observer: Observer) -> Report:
        folder = self._spool.path(request.job.job_id).parent
        if self.away:
            folder.rename(folder.with_name("aside"))
            folder.write_text("in the way")
        raise ProcessingError("the video cannot be written")


@pytest.mark.parametrize("away", [True, False])
def test_a_folder_that_goes_away_is_told_from_a_video_that_cannot_be_written(
    tmp_path: Path, away: bool
) -> None:
    """The first is over some day and says which folder it is; the second is the job's own."""
    provider = Breaks(LocalOptions(), tmp_path / "spool")
    provider.away = away
    request = Request(job=make_job(model="doodle"), card=find_model("doodle"))
    with pytest.raises(ProcessingError) as caught:
        provider.submit(request, RecordingObserver())
    assert is_environmental(caught.value) is away
    assert (str(tmp_path / "spool") in caught.value.message) is away
