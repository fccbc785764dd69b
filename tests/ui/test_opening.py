"""A dropped video gives its settings, and nothing that its maker could misuse."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tiomagic import TioMagic
from tiomagic.ui.controller import PageController
from tiomagic.ui.models.samples import SAMPLE_FILES
from tiomagic.ui.opening import open_video
from tiomagic.ui.web.uploads import FormFile
from tiomagic.wiring.builders import INPUTS_FOLDER
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.requests.received_recipes import LORAS


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[PageController]:
    """The use cases of a page over an empty store."""
    with closing(TioMagic(working_dir=tmp_path)) as tm:
        yield PageController(tm.session)


def received(folder: Path, feature: str = "text_to_video", **arguments: Any) -> FormFile:
    """A file that was dropped, with a recipe."""
    required = {"prompt": "a fox"}
    recipe = {
        "tiomagic_recipe": 1,
        "feature": feature,
        "model": "doodle",
        "provider": "local",
        "required_args": required,
        "optional_args": arguments,
    }
    path = folder / "friend.json"
    path.write_text(json.dumps(recipe))
    return FormFile("upload/0/friend.json", path, "friend.json")


def test_a_video_fills_the_form(controller: PageController, tmp_path: Path) -> None:
    """The feature, the model and all settings, with nothing left out."""
    file = received(tmp_path, seed=7, num_inference_steps=3)
    choice, notes = open_video(controller.session, controller.chooser, file)
    assert (choice["feature"], choice["model"]) == ("text_to_video", "doodle")
    assert choice["values"] == {"prompt": "a fox", "seed": 7, "num_inference_steps": 3}
    assert notes == []


def test_weights_that_nobody_has_named_are_left_out(
    controller: PageController, tmp_path: Path
) -> None:
    """The page says which, and how to take them all the same."""
    file = received(tmp_path, seed=7, loras=[{"source": "stranger/weights"}])
    choice, notes = open_video(controller.session, controller.chooser, file)
    assert choice["values"] == {"prompt": "a fox", "seed": 7}
    (note,) = notes
    assert "stranger/weights" in note
    assert "Expert settings" in note


def test_a_path_of_a_stranger_is_not_taken(controller: PageController, tmp_path: Path) -> None:
    """Neither for an input nor for a LoRA; the rest of the settings is."""
    file = received(
        tmp_path, "image_to_video", image="/etc/passwd", loras=[{"source": "/etc/x.safetensors"}]
    )
    choice, notes = open_video(controller.session, controller.chooser, file)
    assert choice["values"] == {"prompt": "a fox"}
    assert len([note for note in notes if note.startswith("Left out")]) == 2
    assert LORAS not in choice["values"]


def test_an_input_that_is_not_here_is_asked_for(controller: PageController, tmp_path: Path) -> None:
    """A recipe names its pictures by their hash."""
    image = {"sha256": "0" * 64, "kind": "image", "name": "hero.png"}
    file = received(tmp_path, "image_to_video", image=image)
    choice, notes = open_video(controller.session, controller.chooser, file)
    assert choice["values"]["image"] is None
    (note,) = notes
    assert "Drop it again" in note


@pytest.mark.parametrize("content", ["{}", "no json", '{"tiomagic_recipe": 99}'])
def test_a_file_without_a_recipe_says_so(
    controller: PageController, tmp_path: Path, content: str
) -> None:
    """By its name: where it lies on the machine is nobody's business."""
    file = received(tmp_path)
    file.path.write_text(content)
    with pytest.raises(ValidationError, match=r"friend\.json") as caught:
        open_video(controller.session, controller.chooser, file)
    assert str(tmp_path) not in caught.value.message
    assert caught.value.message.count("friend.json") == 1


def test_a_file_that_is_gone_says_so(controller: PageController) -> None:
    """An upload is deleted after a day."""
    with pytest.raises(ValidationError, match="drop it again"):
        open_video(controller.session, controller.chooser, None)


def test_pictures_between_fill_their_rows(controller: PageController, tmp_path: Path) -> None:
    """One that is not here is asked for; one that names a file of the machine is not read."""
    data = SAMPLE_FILES["square.png"].read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    inputs = controller.session.settings.state_dir / INPUTS_FOLDER
    inputs.mkdir(parents=True)
    (inputs / f"{digest}.png").write_bytes(data)
    keyframes = [
        {"image": {"kind": "image", "sha256": digest}, "at": 0.5},
        {"image": {"kind": "image", "sha256": "0" * 64}, "frame": 12},
    ]
    file = received(tmp_path, "interpolate", seed=7, keyframes=keyframes)
    choice, notes = open_video(controller.session, controller.chooser, file)
    (field,) = [one for one in controller.chooser.fields(choice) if one.name == "keyframes"]
    first, second = field.rows[:2]
    assert [entry.initial for entry in first.entries[1:]] == ["0.5", ""]
    assert first.entries[0].file is not None
    assert first.entries[0].file.path.read_bytes() == data
    assert [entry.initial for entry in second.entries] == [None, "", "12"]
    assert notes == ["Pictures between, Picture 2: it is not in the video. Drop it again."]
    path = received(tmp_path, "interpolate", keyframes=[{"image": "/etc/passwd", "at": 0.5}])
    choice, notes = open_video(controller.session, controller.chooser, path)
    assert "keyframes" not in choice["values"]
    assert any("path" in note for note in notes), notes


def test_a_loop_has_one_picture(controller: PageController, tmp_path: Path) -> None:
    """The form asks for the first one, which is the last one, too."""
    picture = {"sha256": "0" * 64, "kind": "image", "name": "bud.png"}
    ends = {"first_frame": picture, "last_frame": picture}
    file = received(tmp_path, "interpolate", seed=7, loop=True, **ends)
    choice, notes = open_video(controller.session, controller.chooser, file)
    assert choice["values"] == {"prompt": "a fox", "seed": 7, "loop": True, "first_frame": None}
    names = [field.name for field in controller.chooser.fields(choice)]
    assert {"first_frame", "loop"} <= {*names}
    assert "last_frame" not in names
    assert notes == ["First picture: it is not in the video. Drop it again."]


def test_a_continued_video_that_is_not_here_is_asked_for(
    controller: PageController, tmp_path: Path
) -> None:
    """And not its end, which the recipe has as the picture."""
    old = {"sha256": "0" * 64, "kind": "video", "name": "old.mp4"}
    end = {"sha256": "1" * 64, "kind": "image", "name": "end of old.mp4"}
    file = received(tmp_path, "image_to_video", seed=7, continued_video=old, image=end)
    _, notes = open_video(controller.session, controller.chooser, file)
    assert notes == ["Video to continue: it is not in the video. Drop it again."]
