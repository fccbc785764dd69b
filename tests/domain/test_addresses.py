"""The addresses of pictures: a provider that reads no files gets them, and no record has them."""

from __future__ import annotations

from pathlib import Path

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.features import Feature
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.testing import FakeClock, FakeMediaReader

SIGNED = "https://example.com/first.png?signature=s3cret"


def test_an_address_is_with_the_request_and_in_no_record(tmp_path: Path) -> None:
    """Only of what was given by https; a stored job has none."""
    media = FakeMediaReader(tmp_path)
    # Under another name, as the reader of files keeps it.
    media._named[f" {SIGNED}"] = media.read(b"a picture", media.add("kind").kind)
    media.add("http://example.com/plain.png")
    preparation = Preparation(media, FakeClock())
    card = find_model("wan2.1-flf2v-14b-720p")
    request = preparation.prepare(
        Feature.INTERPOLATE,
        card,
        "local",
        {
            "prompt": "a fox",
            "first_frame": f" {SIGNED}",
            "last_frame": "http://example.com/plain.png",
        },
    )
    assert request.addresses == {"first_frame": SIGNED}
    assert "s3cret" not in repr(request)
    assert preparation.restore(request.job, card).addresses == {}
