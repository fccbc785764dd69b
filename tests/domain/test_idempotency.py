"""Idempotency keys: a call that is sent again starts nothing new."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tiomagic_domain.errors import AuthenticationError, GenerationError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobQuery

PICTURE = {"prompt": "a fox", "image": b"red"}


def submit(parts, key, provider="modal", feature=Feature.TEXT_TO_VIDEO, **arguments):
    given = {"prompt": "a fox"} | arguments
    return parts.generation.submit(feature, provider=provider, model=None, arguments=given, key=key)


def test_the_same_call_with_the_same_key_is_the_same_job(parts):
    """It is sent once, whatever has become of it meanwhile; the drawn seed is the first one's."""
    first = submit(parts, "order-7")
    again = submit(parts, "order-7")
    assert (again.job_id, again.idempotency_key) == (first.job_id, "order-7")
    while not parts.generation.check(first.job_id).status.is_terminal:
        pass
    assert submit(parts, "order-7").status == "completed"
    assert len(parts.remote.submitted) == len(parts.repository.jobs) == 1
    assert submit(parts, "order-8").job_id != first.job_id


def test_without_a_key_each_call_is_a_job(parts):
    """Two equal calls without a key are two jobs, and neither has one."""
    jobs = [submit(parts, None) for _ in range(2)]
    assert len({job.job_id for job in jobs}) == 2
    assert [job.idempotency_key for job in jobs] == [None, None]


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"prompt": "an owl"}, ["prompt"]),
        ({"num_frames": 17, "guidance_scale": 4.0}, ["guidance_scale", "num_frames"]),
        ({"provider": "local"}, ["provider"]),
        ({"seed": 8}, ["seed"]),
    ],
)
def test_another_call_with_the_key_is_refused(parts, changed, names):
    """The error names each difference and the job, and nothing is stored or sent."""
    first = submit(parts, "order-7", seed=7)
    with pytest.raises(ValidationError, match=first.job_id) as caught:
        submit(parts, "order-7", **({"seed": 7} | changed))
    assert caught.value.code == "key_reused"
    assert sorted(problem.field for problem in caught.value.problems) == names
    assert (len(parts.repository.jobs), len(parts.remote.submitted)) == (1, 1)


def test_pictures_are_compared_by_their_bytes(parts):
    """The same bytes are the same call, wherever they are read from; others are not."""
    call = {"provider": "modal", "model": None, "key": "k"}
    feature = Feature.IMAGE_TO_VIDEO
    first = parts.generation.submit(feature, arguments=PICTURE, **call)
    assert parts.generation.submit(feature, arguments=PICTURE, **call).job_id == first.job_id
    with pytest.raises(ValidationError, match="image") as caught:
        parts.generation.submit(feature, arguments=PICTURE | {"image": b"blue"}, **call)
    assert caught.value.code == "key_reused"
    with pytest.raises(ValidationError, match="feature"):
        submit(parts, "k")


def test_a_failed_job_is_what_its_key_gives(parts):
    """A key gives the job that there is; a new try wants a new key."""
    parts.blocking.failure = GenerationError("it broke")
    with pytest.raises(GenerationError):
        submit(parts, "order-7", "local")
    parts.blocking.failure = None
    assert submit(parts, "order-7", "local").status == "failed"
    assert submit(parts, "order-8", "local").status == "completed"


def test_what_was_refused_did_not_use_up_its_key(parts):
    """A call that was never stored may be sent again with its key."""
    parts.remote.rejection = AuthenticationError("no token")
    with pytest.raises(AuthenticationError):
        submit(parts, "order-7")
    parts.remote.rejection = None
    first = submit(parts, "order-7")
    parts.remote.rejection = AuthenticationError("no token any more")
    assert submit(parts, "order-7").job_id == first.job_id


@pytest.mark.parametrize("key", ["", "x" * 256, "two\nlines", "nul\0", 7, b"bytes"])
def test_a_key_that_is_none_is_refused(parts, key):
    """A key is a text that every store takes."""
    with pytest.raises(ValidationError, match="idempotency_key"):
        submit(parts, key)
    assert parts.repository.list(JobQuery()) == []


def test_of_many_at_once_one_is_sent(parts):
    """Sixteen threads that send one call get one job, and the provider gets one submission."""
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: submit(parts, "order-7").job_id, range(16)))
    assert len(ids) == 1
    assert len(parts.remote.submitted) == 1


def test_a_rerun_takes_a_key(parts):
    """A repeated rerun with the key is one job."""
    job = submit(parts, None)
    recipe = {
        "feature": "text_to_video",
        "model": job.model,
        "provider": "modal",
        "required_args": job.required_args,
        "optional_args": job.optional_args,
    }
    ids = {parts.generation.rerun(recipe, overrides={}, key="again").job_id for _ in range(2)}
    assert len(ids) == 1
    assert ids != {job.job_id}
