"""Every model on Modal: what travels there, and what the container's own code makes of it."""

import pickle

import pytest
from tests.catalogue.extremes import CASES, name_of, one_of_each, smallest
from tests.catalogue.stage import request_for
from tests.every import for_each

from tiomagic.wiring.registry import providers_of
from tiomagic_domain.progress import ignore_progress
from tiomagic_domain.requests.travelling import check_payload
from tiomagic_media.encode.mp4 import read_embedded_recipe
from tiomagic_modal.container.worker import _generate
from tiomagic_modal.gpus import default_gpu, usable_memory_gib
from tiomagic_modal.wire import decode_request, encode_request

ON_MODAL = [case for case in CASES if "modal" in providers_of(case[0])]


@pytest.mark.parametrize(("card", "feature"), ON_MODAL, ids=name_of)
def test_it_travels(card, feature, studio, tmp_path):
    """The request arrives as it was sent, with its pictures and videos."""
    request = request_for(card, feature, smallest(card.schema(feature)), studio)
    check_payload(request, "Modal")
    arrived = receive(request, tmp_path)
    assert (arrived.card, arrived.settings) == (card, request.settings)
    sent = {name: media.path.read_bytes() for name, media in request.media.items()}
    assert {name: media.path.read_bytes() for name, media in arrived.media.items()} == sent


def receive(request, folder):
    """Return a request as the container has it, with its inputs in a folder."""

    def keep(name, data):
        (folder / name).write_bytes(data)
        return folder / name

    return decode_request(pickle.loads(pickle.dumps(encode_request(request))), keep)


@pytest.mark.parametrize(("card", "feature"), one_of_each(ON_MODAL), ids=name_of)
def test_the_container_makes_its_video(card, feature, wardrobe, studio, tmp_path):
    """The container's own code makes the video of a request that has travelled, with each engine.

    It is the smallest call of the model. The rest of the way, with a server and a container, is in
    ``tests/modal``: it is the same for every model.
    """
    sent = request_for(card, feature, smallest(card.schema(feature)), studio)
    wardrobe.provide(card)
    video = tmp_path / "video.mp4"
    report = _generate(receive(sent, tmp_path), wardrobe.runtime, video, ignore_progress)
    asked = sent.settings
    for name in ("width", "height", "fps"):
        assert report.facts[name] == asked[name]
    assert report.facts["frames"] == asked["num_frames"]
    assert read_embedded_recipe(video)["model"] == card.name


@for_each({card.name: card for card, _ in ON_MODAL}.values())
def test_it_gets_a_gpu_that_holds_it(card):
    """The GPU that a model gets when none is named is as large as its card asks for."""
    gpu = default_gpu(card)
    if card.gpu_memory_gib == 0:
        assert gpu is None
    else:
        assert usable_memory_gib(gpu) >= card.gpu_memory_gib
