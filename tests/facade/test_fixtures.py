"""The fixtures for other people's tests, used as other people would."""

import pytest

pytest_plugins = ["pytester"]

CONFTEST = 'pytest_plugins = ["tiomagic_domain.testing.pytest"]\n'

TESTS = """
import av
import pytest
from tiomagic.errors import GenerationError, ValidationError

def test_a_film(tm, fake_provider):
    job = tm.text_to_video(prompt="a red circle")
    assert job.status == "completed"
    with av.open(str(job.result())) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 8
    red, green, blue = (int(value) for value in frames[-1][32, 52])
    assert red > 180 and green < 90 and blue < 90
    assert fake_provider.submitted[0].settings["seed"] == job.optional_args["seed"]
    assert tm.inspect(job.result())["job_id"] == job.job_id

def test_a_failure(tm, fake_provider):
    fake_provider.failure = GenerationError("out of memory")
    with pytest.raises(GenerationError):
        tm.text_to_video(prompt="a red circle")
    assert [job.status for job in tm.list_jobs()] == ["failed"]

def test_each_has_its_own_database(tm):
    assert tm.list_jobs() == []
    assert tm.settings.gpu is None

def test_a_call_is_validated(tm, fake_provider):
    with pytest.raises(ValidationError):
        tm.text_to_video(prompt="")
    assert fake_provider.submitted == []
"""


def test_the_fixtures_serve_a_project(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line in a conftest is enough, and settings of the environment do not reach the tests."""
    monkeypatch.setenv("TIOMAGIC_GPU", "H100")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-q", "-p", "no:randomly", "-p", "no:xdist")
    result.assert_outcomes(passed=4)
