"""Names of jobs as people type them."""

from datetime import timedelta

import pytest

from tiomagic_domain.errors import ResourceNotFoundError, ValidationError
from tiomagic_domain.testing import MemoryJobRepository, make_job
from tiomagic_domain.usecases.job_ids import find_job_id

FIRST = "2a8a3fda-0000-4000-8000-000000000001"
SECOND = "2a8b0000-0000-4000-8000-000000000002"
THIRD = "ffff0000-0000-4000-8000-000000000003"


@pytest.fixture
def repository():
    """Three jobs, the third the newest."""
    stored = MemoryJobRepository()
    begun = make_job().creation_time
    for number, job_id in enumerate((FIRST, SECOND, THIRD)):
        stored.add(make_job(job_id=job_id, creation_time=begun + timedelta(seconds=number)))
    return stored


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        (FIRST, FIRST),
        ("2a8a", FIRST),
        ("2a8a3fda", FIRST),
        ("@last", THIRD),
        ("@last~0", THIRD),
        ("@last~2", FIRST),
        # What fits no job stays: whoever looks it up says that there is none.
        ("2a8", "2a8"),
        ("abcd", "abcd"),
        ("", ""),
        ("@latest", "@latest"),
    ],
)
def test_a_name_means_a_job(repository, name, meant):
    """A whole id, its beginning, or the place from the newest on."""
    assert find_job_id(repository, name) == meant


def test_several_jobs_are_listed(repository):
    """So that one can be chosen."""
    repository.add(make_job(job_id="2a8a9999-0000-4000-8000-000000000004", prompt="a fox"))
    with pytest.raises(ValidationError, match="several jobs") as caught:
        find_job_id(repository, "2a8a")
    assert FIRST in caught.value.message
    assert "a fox" in caught.value.message
    assert SECOND not in caught.value.message


def test_the_last_of_too_few_is_said(repository):
    """With how many there are."""
    with pytest.raises(ResourceNotFoundError, match="there are 3 jobs"):
        find_job_id(repository, "@last~3")
