"""LoRAs: put on for one video, refused with a reason, and gone without a trace."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.local.materials import settings_of
from tests.tiny import TINY
from tests.tiny import save as save_tiny
from tests.tiny.loras import save_lora

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.media import VideoFile
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.runtime.run import run_request
from tiomagic_local.weights import hub
from tiomagic_local.weights.lora_files import check_loras, find_loras
from tiomagic_media.encode.mp4 import read_embedded_recipe

if TYPE_CHECKING:
    from tests.local.materials import Materials

T2V, VACE = "wan2.1-t2v-1.3b", "wan2.1-vace-1.3b"
RANK = 2


def save(
    path: Path,
    prefix: str,
    *,
    width: int = 0,
    name: str = "attn1.to_q",
    a: str = "lora_A",
    b: str = "lora_B",
    block: str = "blocks.0",
) -> Path:
    """Save a LoRA on one layer of the tiny transformer; a width makes it one for another."""
    import torch
    from examples.tiny_vace import TRANSFORMER
    from safetensors.torch import save_file

    size = width or TRANSFORMER["num_attention_heads"] * TRANSFORMER["attention_head_dim"]
    draw = torch.Generator().manual_seed(1)
    tensors = {
        f"{prefix}{block}.{name}.{a}.weight": torch.randn(RANK, size, generator=draw),
        f"{prefix}{block}.{name}.{b}.weight": torch.randn(size, RANK, generator=draw),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A LoRA that fits."""
    return save(tmp_path / "private" / "style.safetensors", "transformer.")


class RequestRunner:
    """Runs requests on a runtime and keeps their frames."""

    def __init__(self, runtime: Runtime, studio: Materials, folder: Path) -> None:
        self.runtime, self._studio, self._folder = runtime, studio, folder
        self._count = 0

    def report(self, model: str = T2V, **changes: Any) -> Report:
        """Return the report of the smallest call."""
        self._count += 1
        request = self._studio.request(model, Feature.TEXT_TO_VIDEO, **changes)
        target = self._folder / f"{self._count}.mp4"
        return run_request(request, runtime=self.runtime, target=target)

    def frames(self, model: str = T2V, **changes: Any) -> Any:
        """Return the frames of the smallest call: uint8, (T, H, W, 3)."""
        request = self._studio.request(model, Feature.TEXT_TO_VIDEO, **changes)
        with self.runtime.use(
            find_model(model), request.settings, ignore_progress, NeverCanceled()
        ) as loaded:
            inputs = request.inputs
            clip = loaded.engine.text_to_video(
                inputs, request.settings, ignore_progress, NeverCanceled()
            )
        return np.asarray(clip.frames)


@pytest.fixture
def maker(shared_runtime: Runtime, studio: Materials, tmp_path: Path) -> RequestRunner:
    """Makes videos."""
    return RequestRunner(shared_runtime, studio, tmp_path)


def entry(path: Path | str, **rest: Any) -> dict[str, Any]:
    """Return an entry of the argument, as validation leaves it."""
    return {"source": str(path), "scale": 1.0, "component": "transformer", **rest}


def modules(maker: RequestRunner, model: str = T2V) -> list[str]:
    """Return the classes of the transformer's parts."""
    from tests.local.materials import engine_of

    engine = engine_of(maker.runtime, model, Feature.TEXT_TO_VIDEO)
    return [type(part).__name__ for part in engine._pipeline.transformer.modules()]


class TestOneVideo:
    def test_it_changes_the_video_and_leaves_no_trace(
        self, maker: RequestRunner, file: Path
    ) -> None:
        """With it the frames differ, the more the larger its scale; the next run is as before."""
        before, parts = maker.frames(), modules(maker)
        with_it = maker.frames(loras=[entry(file)])
        weak = maker.frames(loras=[entry(file, scale=0.25)])
        nothing = maker.frames(loras=[entry(file, scale=0.0)])
        assert (maker.frames() == before).all()
        assert modules(maker) == parts
        assert (nothing == before).all()

        def distance(frames: Any) -> float:
            return float(np.abs(frames.astype(float) - before).mean())

        assert 0 < distance(weak) < distance(with_it)

    def test_several_add_up(self, maker: RequestRunner, file: Path, tmp_path: Path) -> None:
        """Two halves of the same are one whole."""
        copy = tmp_path / "copy.safetensors"
        copy.write_bytes(file.read_bytes())
        whole = maker.frames(loras=[entry(file)])
        halves = maker.frames(loras=[entry(file, scale=0.5), entry(copy, scale=0.5)])
        assert np.abs(whole.astype(int) - halves).max() <= 1

    @pytest.mark.parametrize(
        ("prefix", "name", "a", "b"),
        [
            ("transformer.", "attn1.to_q", "lora_A", "lora_B"),
            ("diffusion_model.", "self_attn.q", "lora_A", "lora_B"),
            ("diffusion_model.", "self_attn.q", "lora_down", "lora_up"),
            ("", "attn1.to_q", "lora_A", "lora_B"),
            ("", "self_attn.q", "lora_A.default", "lora_B.default"),
            ("base_model.model.", "attn1.to_q", "lora_A", "lora_B"),
        ],
    )
    def test_all_ways_to_name_tensors_mean_the_same(
        self,
        maker: RequestRunner,
        file: Path,
        tmp_path: Path,
        prefix: str,
        name: str,
        a: str,
        b: str,
    ) -> None:
        """Files of diffusers, of the authors' code, and of bare networks change the same layer."""
        other = save(tmp_path / "other.safetensors", prefix, name=name, a=a, b=b)
        expected = maker.frames(loras=[entry(file)])
        assert (maker.frames(loras=[entry(other)]) == expected).all()

    def test_the_record_names_it_without_its_folder(self, maker: RequestRunner, file: Path) -> None:
        """Job and recipe have name, scale, digest and layers; the recipe has no path."""
        report = maker.report(loras=[entry(file, scale=0.5)])
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        named = {**entry("style.safetensors", scale=0.5), "sha256": digest}
        assert report.facts["loras"] == [{**named, "layers": 1}]
        video = report.video
        assert isinstance(video, VideoFile)
        recipe = read_embedded_recipe(video.path)
        assert recipe["optional_args"]["loras"] == [named]
        assert str(file.parent) not in json.dumps(recipe)

    def test_a_recipe_finds_it_in_the_folder_of_weights(
        self, weights_dir: Path, tmp_path: Path, file: Path
    ) -> None:
        """A bare name is looked for in ``<weights_dir>/loras``; another content is refused."""
        (tmp_path / "loras").mkdir()
        place = tmp_path / "loras" / "style.safetensors"
        place.write_bytes(file.read_bytes())
        options = LocalOptions(weights_dir=tmp_path)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        (found,) = find_loras(
            [Lora(source="style.safetensors", sha256=digest)], options, progress=ignore_progress
        )
        assert found.path == place
        with pytest.raises(ValidationError, match="another file than the one that was meant"):
            find_loras(
                [Lora(source="style.safetensors", sha256="0" * 64)],
                options,
                progress=ignore_progress,
            )


FAMILIES = {
    find_model(name).engine: name
    for name in TINY
    if all("loras" in schema for schema in find_model(name).features.values())
}
"""A model of each engine that takes LoRAs."""


@pytest.mark.parametrize("name", FAMILIES.values())
def test_every_family_takes_them(name: str, tmp_path: Path) -> None:
    """A LoRA on a layer of any model that offers them is put on, counted, and taken off."""
    import torch

    card = find_model(name)
    runtime = Runtime(LocalOptions(weights_dir=save_tiny(tmp_path, [name]), device="cpu"))
    settings = settings_of(name, next(iter(card.features)))
    with runtime.use(card, settings, ignore_progress, NeverCanceled()) as loaded:
        transformer = loaded.engine._pipeline.transformer
        parts = [type(part).__name__ for part in transformer.modules()]
        layer, width = next(
            (key.replace(".base_layer", ""), part.in_features)
            for key, part in transformer.named_modules()
            if isinstance(part, torch.nn.Linear)
            and part.in_features == part.out_features
            and "to_q" in key
        )
    file = save_lora(tmp_path / "style.safetensors", {f"transformer.{layer}": width})
    given = {**settings, "loras": [entry(file)]}
    with runtime.use(card, given, ignore_progress, NeverCanceled()) as loaded:
        (fact,) = loaded.loras
        assert fact["layers"] == 1
    assert [type(part).__name__ for part in transformer.modules()] == parts


class TestRefused:
    @pytest.mark.parametrize(
        ("build", "said"),
        [
            (lambda path: save(path, "transformer.", width=64), "does not fit this model"),
            (lambda path: save(path, "diffusion_model.", block="joint.0"), "fit"),
            (lambda path: save(path, "transformer.", block="joint_blocks.0"), "fit"),
            (lambda path: save(path, "", block="down_blocks.0", name="x"), "fit"),
            (lambda path: save(path, "unet.", block="down_blocks.0", name="x"), "fit"),
        ],
    )
    def test_another_architecture(
        self, maker: RequestRunner, tmp_path: Path, file: Path, build: Any, said: str
    ) -> None:
        """A LoRA of other sizes or other layers is an error that names it; nothing stays of it."""
        before, parts = maker.frames(), modules(maker)
        other = build(tmp_path / "foreign.safetensors")
        with pytest.raises(ValidationError, match=rf"foreign\.safetensors: .*{said}"):
            maker.frames(loras=[entry(file), entry(other)])
        assert modules(maker) == parts
        assert (maker.frames() == before).all()

    def test_a_second_expert_that_is_not_there(self, maker: RequestRunner, file: Path) -> None:
        """A model with one transformer has no second one to change."""
        with pytest.raises(ValidationError, match="no component 'transformer_2'"):
            maker.frames(loras=[entry(file, component="transformer_2")])

    def test_what_is_wrong_with_a_file_is_known_before_anything_runs(self, tmp_path: Path) -> None:
        """Missing, damaged and foreign files and odd sources are told all at once."""
        import torch
        from safetensors.torch import save_file

        (tmp_path / "cut.safetensors").write_bytes(b"PK\x03\x04 pickled things")
        save_file({"weight": torch.zeros(1)}, tmp_path / "plain.safetensors")
        sources = ["gone.safetensors", "cut.safetensors", "plain.safetensors"]
        loras = [Lora(source=str(tmp_path / name)) for name in sources]
        loras += [Lora(source="just words"), Lora(source=str(tmp_path)), Lora(source="owner/name")]
        with pytest.raises(ValidationError) as caught:
            check_loras(loras, LocalOptions(weights_dir=tmp_path))
        said = [problem.message for problem in caught.value.problems]
        assert len(said) == 5
        for message, words in zip(
            said,
            ["no such file", "is not a safetensors", "holds no LoRA", "neither", "neither"],
            strict=True,
        ):
            assert words in message


class TestHub:
    def test_a_repository_with_one_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The file needs no name, and the commit is recorded."""
        path = save(tmp_path / "abc123" / "one.safetensors", "transformer.")
        monkeypatch.setattr(
            hub, "list_repository_files", lambda *_given, **_rest: ["README.md", path.name]
        )

        def download_file(_source: str, _revision: object, name: str, **_rest: Any) -> Any:
            return tmp_path / "abc123" / name, "abc123"

        monkeypatch.setattr(hub, "download_file", download_file)
        (found,) = find_loras([Lora(source="owner/name")], LocalOptions(), progress=ignore_progress)
        assert (found.path, found.pinned.revision) == (path, "abc123")
        assert found.pinned.source == "owner/name"

    def test_a_repository_with_several_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Which one is meant has to be said; the error lists them."""
        files = ["a.safetensors", "b.safetensors", "c.bin"]
        monkeypatch.setattr(hub, "list_repository_files", lambda *_given, **_rest: files)
        with pytest.raises(
            ValidationError, match=r"weight_name .*a\.safetensors, b\.safetensors \("
        ):
            find_loras([Lora(source="owner/name")], LocalOptions(), progress=ignore_progress)
