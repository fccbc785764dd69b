"""What travels is plain, comes back as it was, and says which version it is."""

import enum
import json
import pickle
from dataclasses import replace

import pytest

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ConfigurationError, ProcessingError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.media import MediaKind
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.requests.wire import to_plain
from tiomagic_modal.options import ModalOptions
from tiomagic_modal.wire import (
    check_protocol,
    decode_request,
    encode_request,
    pack_error,
)

PLAIN = (dict, list, str, bytes, int, float, bool, type(None))


def walk(value):
    assert type(value) in PLAIN, type(value)
    if isinstance(value, dict):
        for key, item in value.items():
            assert type(key) is str
            walk(item)
    elif isinstance(value, list):
        for item in value:
            walk(item)


def test_a_request_comes_back_as_it_was(picture_request, tmp_path):
    sent = encode_request(picture_request)
    walk(sent)

    def keep(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    arrived = decode_request(sent, keep)
    assert arrived.job.arguments == picture_request.job.arguments
    assert arrived.job.job_id == picture_request.job.job_id
    assert arrived.job.chosen == picture_request.job.chosen is not None
    older = {**sent, "job": {k: v for k, v in sent["job"].items() if k != "chosen"}}
    assert decode_request(older, keep).job.chosen is None
    assert arrived.card == picture_request.card
    image = arrived.media["image"]
    assert image.read_bytes() == picture_request.media["image"].read_bytes()
    assert image.to_reference() == picture_request.media["image"].to_reference()


def test_of_a_continued_video_only_its_end_travels(media, request_for, tmp_path):
    """The container finds how many frames are shown already, with a clip of them or a picture."""
    walk = media.add("walk.mp4", MediaKind.VIDEO, frames=48)
    call = {"prompt": "a fox", "continued_video": "walk.mp4", "seed": 7}
    for model, frames in (("wan2.1-vace-1.3b", 17), ("wan2.1-i2v-14b-480p", 1)):
        request = request_for(Feature.IMAGE_TO_VIDEO, model, **call)
        sent = encode_request(request)
        assert walk.read_bytes() not in [item["data"] for item in sent["media"].values()]

        def keep(name, data):
            path = tmp_path / name
            path.write_bytes(data)
            return path

        arrived = decode_request(sent, keep)
        assert arrived.overlap_frames == request.overlap_frames == frames
        assert (arrived.inputs.context is None) == (frames == 1)


def test_keyframes_travel_as_the_other_pictures(picture_request, tmp_path):
    """Each with its bytes and its moment: the container's engine gets the same inputs."""
    picture = picture_request.media["image"]
    places = ("first_frame", "last_frame", "keyframes[0].image", "keyframes[1].image")
    reference = picture.to_reference()
    job = replace(
        picture_request.job,
        feature=Feature.INTERPOLATE,
        model="doodle",
        required_args={"prompt": "a", "first_frame": reference, "last_frame": reference},
        optional_args={
            "num_frames": 17,
            "fps": 8,
            "keyframes": [{"image": reference, "at": 0.5}, {"image": reference, "frame": 12}],
        },
    )
    card = find_model("doodle")
    request = Request(job=job, card=card, media=dict.fromkeys(places, picture))
    sent = encode_request(request)
    walk(sent)

    def keep(name, data):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    arrived = decode_request(sent, keep)
    assert [one.frame for one in arrived.inputs.keyframes] == [4, 12]
    assert arrived.settings == request.settings
    assert arrived.settings["picture_frames"] == [0, 4, 12, 16]
    for keyframe in arrived.inputs.keyframes:
        assert keyframe.image.read_bytes() == picture.read_bytes()


def test_a_request_has_no_path_of_this_machine(picture_request):
    text = repr(encode_request(picture_request))
    assert str(picture_request.media["image"].path.parent) not in text


def test_another_version_of_the_format_is_refused(picture_request):
    sent = {**encode_request(picture_request), "protocol": 99}
    with pytest.raises(ValidationError, match="99"):
        decode_request(sent, lambda name, data: None)
    with pytest.raises(ValidationError):
        check_protocol({})


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("read timed out"),
        ProcessingError("disk full", details={"path": object()}),
        KeyError("x"),
        type("Odd", (Exception,), {"__init__": lambda self, a, b: None})(1, 2),
    ],
)
def test_any_exception_survives_the_way_home(error):
    """One string: pickles whatever it was made from."""
    packed = pack_error(error)
    again = pickle.loads(pickle.dumps(packed))
    assert len(again.args) == 1
    assert again.content == packed.content
    assert json.loads(again.args[0])["kind"] == type(error).__name__


def test_what_is_not_plain_becomes_plain():
    class Colour(enum.StrEnum):
        RED = "red"

    walk(to_plain({"a": (1, Colour.RED, {"b": object()}), 2: None, "t": True}))
    assert to_plain({"a": (1, Colour.RED)}) == {"a": [1, "red"]}


class TestOptions:
    def test_numbers_outside_modals_limits_are_refused(self):
        for options in (
            ModalOptions(timeout_s=0),
            ModalOptions(timeout_s=90_000),
            ModalOptions(scaledown_window_s=1),
        ):
            with pytest.raises(ConfigurationError, match="nearest"):
                options.check()
        ModalOptions().check()

    def test_half_a_token_is_no_token(self):
        with pytest.raises(ConfigurationError, match="MODAL_TOKEN_SECRET is missing"):
            ModalOptions(token_id="ak-1").check()

    def test_the_secret_is_not_in_the_repr(self):
        assert "as-secret" not in repr(ModalOptions(token_id="ak-1", token_secret="as-secret"))
