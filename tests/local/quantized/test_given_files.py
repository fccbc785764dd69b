"""The argument ``weights``: files in place of components, through `tm`, with recipe and rerun."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.local.hub_server import Hub, hub_server
from tests.local.quantized.encoder_files import write_encoder_fp8, write_encoder_gguf
from tests.local.quantized.weight_files import (
    CALL,
    DOODLE,
    Studio,
    Tensors,
    frames_of,
    psnr,
    transformer,
    write_gguf,
)
from tests.local.test_single_files import authors, scaled
from tests.tiny import save
from typer.testing import CliRunner

from tiomagic import errors
from tiomagic.cli.main import app
from tiomagic.errors import ConfigurationError, ValidationError

__all__ = ["hub_server"]

EXPERTS = "wan2.2-t2v-a14b"
SHORT = {
    "prompt": "a fox",
    "num_inference_steps": 3,
    "width": 16,
    "height": 16,
    "num_frames": 5,
    "seed": 3,
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio(tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="module")
def exact(studio: Studio) -> Any:
    """The frames with the model's own weights."""
    return studio.make()[1]


def encoder() -> Tensors:
    """Return the weights of doodle's text encoder."""
    return load_file(DOODLE / "text_encoder" / "model.safetensors")


def recipe_of(job: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(job.result_video).with_suffix(".json").read_text())
    return found


ENCODERS: dict[str, tuple[Callable[[Path, Tensors], Tensors], float, str]] = {
    "q8.gguf": (lambda path, t: write_encoder_gguf(path, t, "Q8_0"), 35, "Q8_0"),
    "q4.gguf": (lambda path, t: write_encoder_gguf(path, t, "Q4_0"), 25, "Q4_0"),
    "fp8_scaled.safetensors": (write_encoder_fp8, 30, "F8_E4M3"),
}
"""What writes a text encoder's file, the least likeness to the exact video, and its type."""


@pytest.mark.parametrize("name", ENCODERS)
def test_a_text_encoder_from_a_file(studio: Studio, exact: Any, tmp_path: Path, name: str) -> None:
    """Its loss is what was measured; the recipe names it by its content, and makes it again."""
    write, least, type_ = ENCODERS[name]
    (tmp_path / "components").mkdir()
    path = tmp_path / "components" / name
    write(path, encoder())
    job, frames = studio.make({**CALL, "weights": {"text_encoder": path}})
    likeness = psnr(frames, exact)
    print(name, likeness)
    assert least <= likeness < float("inf")
    recipe = recipe_of(job)
    pinned = recipe["optional_args"]["weights"]["text_encoder"]
    assert pinned.startswith(f"{name}@sha256:")
    assert recipe["facts"]["weights"]["text_encoder"]["stored_as"][type_] > 10
    assert str(tmp_path) not in json.dumps(recipe)
    tm = studio.open(weights_dir=tmp_path)
    try:
        again = tm.rerun(job.result_video)
    finally:
        tm.close()
    assert (frames_of(again) == frames).all()
    # The same name with other content is another file.
    write(path, {n: t * 2 if "wo" in n else t for n, t in encoder().items()})
    tm = studio.open(weights_dir=tmp_path)
    try:
        with pytest.raises(ValidationError, match="another file than the one that is meant"):
            tm.rerun(job.result_video)
    finally:
        tm.close()


@pytest.mark.parametrize("name", ["q4.gguf", "fp8_scaled.safetensors"])
def test_the_encoder_reads_with_the_numbers_of_the_file(
    studio: Studio, tmp_path: Path, name: str
) -> None:
    """Bit for bit the video of a file with the same values in full."""
    meant = ENCODERS[name][0](tmp_path / name, encoder())
    full = {n: t.float().contiguous() for n, t in meant.items()}
    save_file(full, tmp_path / "full.safetensors")
    frames = [
        studio.make({**CALL, "weights": {"text_encoder": tmp_path / file}})[1]
        for file in (name, "full.safetensors")
    ]
    assert (frames[0] == frames[1]).all()


def test_both_components_and_then_none(studio: Studio, exact: Any, tmp_path: Path) -> None:
    """Files of a call replace the model's own for this call alone; a format for them is refused."""
    write_gguf(tmp_path / "t.gguf", transformer(), "Q8_0")
    write_encoder_gguf(tmp_path / "e.gguf", encoder(), "Q8_0")
    files = {"transformer": tmp_path / "t.gguf", "text_encoder": tmp_path / "e.gguf"}
    tm = studio.open()
    try:
        both = tm.text_to_video("doodle", **CALL, weights=files)
        plain = tm.text_to_video("doodle", **CALL)
        with pytest.raises(ValidationError, match="the text encoder comes from a file"):
            tm.text_to_video("doodle", **CALL, weights=files, quantization="int8")
    finally:
        tm.close()
    assert recipe_of(both)["optional_args"]["weights"].keys() == files.keys()
    assert (frames_of(plain) == exact).all()
    assert 30 <= psnr(frames_of(both), exact) < float("inf")


def cut_short(path: Path) -> None:
    write_encoder_gguf(path, encoder(), "Q8_0")
    path.write_bytes(path.read_bytes()[:-1000])


def one_less(path: Path) -> None:
    tensors = encoder()
    del tensors["encoder.block.1.layer.1.DenseReluDense.wo.weight"]
    write_encoder_gguf(path, tensors, "Q8_0")


def a_transformer(path: Path) -> None:
    write_gguf(path, transformer(), "Q8_0")


def another_size(path: Path) -> None:
    wide = {n: torch.cat([t, t]) if n.endswith("wi_0.weight") else t for n, t in encoder().items()}
    write_encoder_gguf(path, wide, "Q8_0")


def something_more(path: Path) -> None:
    write_encoder_gguf(path, encoder() | {"mystery.weight": torch.ones(3)}, "Q8_0")


TROUBLES = {
    cut_short: "cut short",
    one_less: r"lacks 1 tensors, such as 'encoder\.block\.1\.layer\.1\.DenseReluDense\.wo",
    a_transformer: "no text encoder that is read.*it is for 'wan'",
    another_size: "2 of its tensors have another shape",
    something_more: r"1 of its tensors are not the model's, such as 'mystery\.weight'",
}


@pytest.mark.parametrize("harm", TROUBLES, ids=lambda harm: harm.__name__)
def test_an_encoder_that_does_not_fit_is_refused_before_the_rest(
    hub_server: Hub, studio: Studio, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    """Of a model on the hub nothing is fetched but what describes it."""
    hub_server.publish("some/model", DOODLE)
    harm(tmp_path / "odd.gguf")
    call = {**CALL, "weights": {"text_encoder": tmp_path / "odd.gguf"}}
    with pytest.raises(ConfigurationError, match=TROUBLES[harm]) as caught:
        studio.make(call, model_path=Path("some/model"))
    assert "odd.gguf" in caught.value.message
    assert hub_server.downloaded_files("some/model") <= {
        "model_index.json",
        "text_encoder/config.json",
    }


class TestOnTheHub:
    def test_a_file_of_a_repository_is_downloaded_and_pinned(
        self, hub_server: Hub, studio: Studio, tmp_path: Path
    ) -> None:
        """The recipe has its commit; somebody else's needs a yes, and makes the same video."""
        write_gguf(tmp_path / "doodle-Q8_0.gguf", transformer(), "Q8_0")
        content = (tmp_path / "doodle-Q8_0.gguf").read_bytes()
        commit = hub_server.publish("somebody/doodle-gguf", {"sub/doodle-Q8_0.gguf": content})
        place = "somebody/doodle-gguf/sub/doodle-Q8_0.gguf"
        job, frames = studio.make({**CALL, "weights": {"transformer": place}})
        recipe = recipe_of(job)
        assert recipe["optional_args"]["weights"] == {"transformer": f"{place}@{commit}"}
        local = studio.make({**CALL, "weights": {"transformer": tmp_path / "doodle-Q8_0.gguf"}})[1]
        assert (frames == local).all()
        tm = studio.open()
        try:
            with pytest.raises(ValidationError, match="a transformer from somebody/doodle-gguf"):
                tm.rerun(job.result_video)
            again = tm.rerun(job.result_video, trust=True)
        finally:
            tm.close()
        assert (frames_of(again) == frames).all()

    def test_one_that_is_not_there(self, hub_server: Hub, studio: Studio) -> None:
        """The error names the repository and the file."""
        hub_server.publish("somebody/doodle-gguf", {"other.gguf": b"x"})
        call = {**CALL, "weights": {"transformer": "somebody/doodle-gguf/mine.gguf"}}
        with pytest.raises(ConfigurationError, match=r"'somebody/doodle-gguf' has no file 'mine"):
            studio.make(call)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny weights of a model with two experts."""
    return save(tmp_path_factory.mktemp("experts"), [EXPERTS])


class TestTwoExperts:
    @pytest.fixture
    def make(self, studio: Studio, pair: Path) -> Iterator[Callable[..., Any]]:
        tm = studio.open(weights_dir=pair)
        yield lambda **more: tm.text_to_video(EXPERTS, **SHORT, **more)
        tm.close()

    def write(self, pair: Path, path: Path, component: str, *, factor: float = 1.0) -> None:
        """Write an expert in 8 bits with factors, by the names of the authors."""
        source = pair / EXPERTS / component / "diffusion_pytorch_model.safetensors"
        plain = {authors(n): t.bfloat16() * factor for n, t in load_file(source).items()}
        save_file(scaled(plain)[0], path)

    def test_each_is_replaced(self, make: Callable[..., Any], pair: Path, tmp_path: Path) -> None:
        """The file of each expert is used for it: nearly the same video, and another if changed."""
        files = {
            "transformer": tmp_path / "Wan2.2-T2V-A14B-HighNoise-fp8.safetensors",
            "transformer_2": tmp_path / "Wan2.2-T2V-A14B-LowNoise-fp8.safetensors",
        }
        for component, path in files.items():
            self.write(pair, path, component)
        own, both = make(), make(weights=files)
        assert psnr(frames_of(both), frames_of(own)) > 45
        facts = recipe_of(both)["facts"]["weights"]
        assert facts["transformer"]["stored_as"]["F8_E4M3"] > 10
        assert facts["transformer_2"]["file"] == files["transformer_2"].name
        for component, path in files.items():
            changed = tmp_path / f"changed-{component}.safetensors"
            self.write(pair, changed, component, factor=8.0)
            other = make(weights={component: changed})
            assert psnr(frames_of(other), frames_of(own)) < 45, component
            assert recipe_of(other)["optional_args"]["weights"].keys() == {component}
            path.unlink()

    def test_the_other_experts_file_is_refused(
        self, make: Callable[..., Any], pair: Path, tmp_path: Path
    ) -> None:
        """Both have the same shapes, so the name says which one it is."""
        path = tmp_path / "wan2.2_t2v_low_noise_14B_fp8_scaled.safetensors"
        self.write(pair, path, "transformer_2")
        with pytest.raises(ValidationError, match=r"low-noise expert.*weights=\{'transformer_2'"):
            make(weights={"transformer": path})

    def test_one_for_another_shape_is_refused(
        self, make: Callable[..., Any], pair: Path, tmp_path: Path
    ) -> None:
        """An expert of the model for pictures has more channels."""
        source = pair / EXPERTS / "transformer_2" / "diffusion_pytorch_model.safetensors"
        tensors = load_file(source)
        patch = tensors["patch_embedding.weight"]
        tensors["patch_embedding.weight"] = torch.cat([patch, patch], dim=1)
        save_file(tensors, tmp_path / "i2v.safetensors")
        with pytest.raises(ConfigurationError, match=r"another shape, such as 'patch_embedding"):
            make(weights={"transformer_2": tmp_path / "i2v.safetensors"})

    def test_model_path_says_what_works(self, studio: Studio, pair: Path, tmp_path: Path) -> None:
        """One file cannot stand for both."""
        self.write(pair, tmp_path / "one.safetensors", "transformer")
        tm = studio.open(weights_dir=pair, model_path=tmp_path / "one.safetensors")
        try:
            with pytest.raises(ConfigurationError, match=r"weights=\{'transformer': …, 'transf"):
                tm.text_to_video(EXPERTS, **SHORT)
        finally:
            tm.close()


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"transformer": "gone.gguf"}, r"weights\.transformer.*there is no such file"),
        ({"transformer": "a/b.gguf"}, "a file of the hub is named as owner/name/file"),
        ({"transformer": "mine.pt"}, r"must be a \.safetensors or \.gguf file"),
        ({"vae": "mine.gguf"}, "has no field 'vae'; fields: transformer, transformer_2, text_enc"),
    ],
)
def test_what_cannot_be_is_refused_before_the_job_runs(
    studio: Studio, weights: dict[str, str], words: str
) -> None:
    """The field is named."""
    with pytest.raises(ValidationError, match=words):
        studio.make({**CALL, "weights": weights})


@pytest.mark.parametrize("given", ["weights", "model_path"])
def test_a_damaged_file_is_refused_before_there_is_a_job(
    studio: Studio, tmp_path: Path, given: str
) -> None:
    """A plan says so too: it does not call a run possible that ends at its first file."""
    cut_short(tmp_path / "odd.gguf")
    call = {"weights": {"transformer": tmp_path / "odd.gguf"}} if given == "weights" else {}
    options = {"model_path": tmp_path / "odd.gguf"} if given == "model_path" else {}
    tm = studio.open(**options)
    try:
        with pytest.raises(ConfigurationError, match=r"odd\.gguf.*cut short"):
            tm.plan("text_to_video", "doodle", **CALL, **call)
        with pytest.raises(ConfigurationError, match=r"odd\.gguf.*cut short"):
            tm.text_to_video("doodle", **CALL, **call)
        assert list(tm.list_jobs()) == []
    finally:
        tm.close()


def test_a_folder_is_no_file(studio: Studio, tmp_path: Path) -> None:
    """The error says what the name leads to."""
    (tmp_path / "odd.gguf").mkdir()
    with pytest.raises(ValidationError, match=r"odd\.gguf' is a folder; give the file in it"):
        studio.make({**CALL, "weights": {"transformer": tmp_path / "odd.gguf"}})


def test_a_component_that_a_model_does_not_have(studio: Studio, tmp_path: Path) -> None:
    """Doodle has one transformer."""
    write_gguf(tmp_path / "t.gguf", transformer(), "Q8_0")
    with pytest.raises(errors.TioMagicError, match="this model has no transformer_2: leave it out"):
        studio.make({**CALL, "weights": {"transformer_2": tmp_path / "t.gguf"}})


def test_weights_dir_has_files_of_recipes(studio: Studio, tmp_path: Path) -> None:
    """A bare name is looked for in its folder ``components``."""
    (tmp_path / "components").mkdir()
    write_gguf(tmp_path / "components" / "bare.gguf", transformer(), "Q8_0")
    shutil.copytree(DOODLE, tmp_path / "doodle")
    job, _ = studio.make({**CALL, "weights": {"transformer": "bare.gguf"}}, weights_dir=tmp_path)
    assert recipe_of(job)["facts"]["weights"]["transformer"]["file"] == "bare.gguf"
    shown = CliRunner().invoke(app, ["inspect", job.result_video]).output
    assert re.search(r"^transformer file +bare\.gguf \(sha256:\w+\)$", shown, re.MULTILINE)
