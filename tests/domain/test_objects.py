"""Arguments that are Python objects: taken as they are, described in the record, never restored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.schema.expert_arguments import describe_object
from tiomagic_domain.testing import FakeClock, FakeMediaReader

CARD = find_model("wan2.1-t2v-1.3b")


class Tensor:
    """Looks like one of torch."""

    shape = (1, 16, 2, 4, 4)
    dtype = "torch.float32"


def callback() -> None:
    """Do nothing."""


@pytest.fixture
def preparation(tmp_path: Path) -> Preparation:
    """Turns arguments into requests."""
    return Preparation(FakeMediaReader(tmp_path), FakeClock())


def prepare(preparation: Preparation, **arguments: Any) -> Any:
    """Return the request of a call."""
    given = {"prompt": "a fox", **arguments}
    return preparation.prepare(Feature.TEXT_TO_VIDEO, CARD, "local", given)


def test_the_engine_gets_the_object_and_the_record_its_likeness(preparation: Preparation) -> None:
    """The settings have the very object; the job has type and shape, and is plain data."""
    tensor = Tensor()
    request = prepare(preparation, latents=tensor, attention_kwargs={"scale": 0.5})
    assert request.settings["latents"] is tensor
    assert request.settings["attention_kwargs"] == {"scale": 0.5}
    recorded = request.job.optional_args
    assert recorded["latents"]["shape"] == [1, 16, 2, 4, 4]
    assert recorded["latents"]["dtype"] == "torch.float32"
    assert recorded["attention_kwargs"] == {"python": "dict", "keys": ["scale"]}
    json.dumps(recorded)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (callback, {"python": "function"}),
        ([1, 2], {"python": "list", "length": 2}),
    ],
)
def test_a_likeness_says_what_it_can(value: object, expected: dict[str, object]) -> None:
    """A function has no shape, and a list has a length."""
    assert describe_object(value) == expected


def test_a_tensor_is_named_by_its_library() -> None:
    """The type is told as people know it."""
    assert str(describe_object(Tensor())["python"]).endswith(".Tensor")


@pytest.mark.parametrize("value", ["noise.pt", 1, 0.5, True, b"..."])
def test_plain_values_are_none(preparation: Preparation, value: object) -> None:
    """What a command line or a wire can carry is not what is meant, and is refused."""
    with pytest.raises(ValidationError, match="latents: must be a Python object"):
        prepare(preparation, latents=value)


def test_an_object_of_the_past_has_to_be_given_again(preparation: Preparation) -> None:
    """A rerun of a record that had one says so, by argument and by stored job."""
    job = prepare(preparation, latents=Tensor()).job
    with pytest.raises(ValidationError, match=r"latents: was an object of type .*give it again"):
        prepare(preparation, latents=job.optional_args["latents"])
    with pytest.raises(ValidationError, match="latents: was an object"):
        preparation.restore(job, CARD)


def test_a_misspelt_one_is_recognised(preparation: Preparation) -> None:
    """They are proposed as any other parameter is."""
    with pytest.raises(ValidationError, match="did you mean 'latents'"):
        prepare(preparation, latent=Tensor())
