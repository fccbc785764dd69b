"""LoRA files as trainers write them: each layer is applied as its maker meant it, or named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.local.lora.bench import RANK, WIDTH, LoraPipelines, matrix

from tiomagic_domain.errors import ValidationError

A, B = matrix("a", RANK, WIDTH), matrix("b", WIDTH, RANK)
CHANGE = B @ A
Q = "blocks.1.attn1.to_q"

SPELLINGS = {
    "diffusers": ("transformer.blocks.1.attn1.to_q.lora_A.weight", "{}lora_B.weight"),
    "peft": ("base_model.model.blocks.1.attn1.to_q.lora_A.weight", "{}lora_B.weight"),
    "peft, with its adapter": (
        "blocks.1.attn1.to_q.lora_A.default.weight",
        "{}lora_B.default.weight",
    ),
    "peft, another adapter": ("blocks.1.self_attn.q.lora_A.style.weight", "{}lora_B.style.weight"),
    "ai-toolkit": ("diffusion_model.blocks.1.self_attn.q.lora_A.weight", "{}lora_B.weight"),
    "ComfyUI": ("diffusion_model.blocks.1.self_attn.q.lora_down.weight", "{}lora_up.weight"),
    "a checkpoint's": (
        "model.diffusion_model.blocks.1.self_attn.q.lora_A.weight",
        "{}lora_B.weight",
    ),
    "DiffSynth": ("pipe.dit.blocks.1.self_attn.q.lora_A.default.weight", "{}lora_B.default.weight"),
    "musubi-tuner": ("lora_unet_blocks_1_self_attn_q.lora_down.weight", "{}lora_up.weight"),
    "musubi-tuner, diffusers' names": (
        "lora_unet_blocks_1_attn1_to_q.lora_down.weight",
        "{}lora_up.weight",
    ),
    "VideoX-Fun": ("lora_unet__blocks_1_self_attn_q.lora_down.weight", "{}lora_up.weight"),
    "WanVideoWrapper": ("lora_unet_blocks_1.self_attn.q.lora_down.weight", "{}lora_up.weight"),
    "LyCORIS": ("lycoris_blocks_1_self_attn_q.lora_down.weight", "{}lora_up.weight"),
    "compiled": ("transformer._orig_mod.blocks.1.attn1.to_q.lora_A.weight", "{}lora_B.weight"),
    "old diffusers": ("transformer.blocks.1.attn1.to_q.lora.down.weight", "{}lora.up.weight"),
    "DiffSynth, all prefixes": (
        "pipe.dit.model.blocks.1.self_attn.q.lora_A.default.weight",
        "{}lora_B.default.weight",
    ),
    "joined, with a checkpoint's prefix": (
        "lycoris_model_diffusion_model_blocks_1_self_attn_q.lora_down.weight",
        "{}lora_up.weight",
    ),
    "bare": ("blocks.1.self_attn.q.lora_A", "{}lora_B"),
}
"""The names of a pair of matrices on one layer."""


@pytest.fixture(scope="module")
def bench() -> LoraPipelines:
    """Tiny transformers that LoRAs are put on."""
    return LoraPipelines()


def second(first: str, template: str) -> str:
    layer = first[: first.index(".lora") + 1]
    return template.format(layer)


class TestNames:
    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_every_trainers_names_lead_to_the_layer(
        self, bench: LoraPipelines, tmp_path: Path, spelling: str
    ) -> None:
        """Whoever has trained it, the layer's weight is changed by the product, and no other."""
        first, template = SPELLINGS[spelling]
        tensors = {first: A, second(first, template): B}
        with bench.apply_loras(tmp_path, tensors) as worn:
            assert worn.facts["layers"] == 1
            assert torch.allclose(worn.weight(Q), worn.before[f"{Q}.weight"] + CHANGE, atol=1e-6)
            assert worn.changed() == {f"{Q}.weight"}

    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [
            ("blocks.0.cross_attn.o", "blocks.0.attn2.to_out.0"),
            ("blocks.0.ffn.0", "blocks.0.ffn.net.0.proj"),
            ("blocks.0.ffn.2", "blocks.0.ffn.net.2"),
            ("time_embedding.0", "condition_embedder.time_embedder.linear_1"),
            ("text_embedding.2", "condition_embedder.text_embedder.linear_2"),
            ("time_projection.1", "condition_embedder.time_proj"),
            ("head.head", "proj_out"),
            ("vace_blocks.0.self_attn.v", "vace_blocks.0.attn1.to_v"),
            ("vace_blocks.0.before_proj", "vace_blocks.0.proj_in"),
            ("vace_blocks.0.after_proj", "vace_blocks.0.proj_out"),
            ("vace_blocks.0.cross_attn.k", "vace_blocks.0.attn2.to_k"),
            ("patch_embedding", "patch_embedding"),
        ],
    )
    @pytest.mark.parametrize("joined", [".", "_"])
    def test_every_layer_of_wan(
        self, bench: LoraPipelines, tmp_path: Path, theirs: str, ours: str, joined: str
    ) -> None:
        """Each layer by the authors' name, with dots and as musubi-tuner writes it."""
        shape = bench.shape(f"{ours}.weight")
        down, up = matrix("d", RANK, shape[1:].numel()), matrix("u", shape[0], RANK)
        prefix = "diffusion_model." if joined == "." else "lora_unet_"
        layer = prefix + theirs.replace(".", joined)
        tensors = {f"{layer}.lora_down.weight": down, f"{layer}.lora_up.weight": up}
        with bench.apply_loras(tmp_path, tensors) as worn:
            expected = worn.before[f"{ours}.weight"] + (up @ down).reshape(shape)
            assert torch.allclose(worn.weight(ours), expected, atol=1e-5)

    def test_alpha_is_the_strength_at_the_rank(self, bench: LoraPipelines, tmp_path: Path) -> None:
        """``.alpha`` beside the matrices, for the layers that are there; one may lack."""
        layer = "lora_unet_blocks_1_self_attn_q"
        tensors = {
            f"{layer}.lora_down.weight": A,
            f"{layer}.lora_up.weight": B,
            f"{layer}.alpha": torch.tensor(1.0),
        }
        with bench.apply_loras(tmp_path, tensors) as worn:
            expected = worn.before[f"{Q}.weight"] + CHANGE / RANK
            assert torch.allclose(worn.weight(Q), expected, atol=1e-6)

    @pytest.mark.parametrize("rooted", [False, True])
    def test_alpha_in_the_header_of_diffusers(
        self, bench: LoraPipelines, tmp_path: Path, rooted: bool
    ) -> None:
        """What diffusers writes into the header counts, for a single layer too."""
        said = {
            "transformer.r": RANK,
            "transformer.lora_alpha": 8,
            "transformer.use_rslora": rooted,
            "transformer.alpha_pattern": {"blocks.0.attn1.to_q": 16},
        }
        tensors = {}
        for block in (0, 1):
            tensors[f"transformer.blocks.{block}.attn1.to_q.lora_A.weight"] = A.clone()
            tensors[f"transformer.blocks.{block}.attn1.to_q.lora_B.weight"] = B.clone()
        metadata = {"lora_adapter_metadata": json.dumps(said)}
        with bench.apply_loras(tmp_path, tensors, metadata=metadata) as worn:
            for block, alpha in ((0, 16), (1, 8)):
                name = f"blocks.{block}.attn1.to_q"
                scale = alpha / (RANK**0.5 if rooted else RANK)
                expected = worn.before[f"{name}.weight"] + scale * CHANGE
                assert torch.allclose(worn.weight(name), expected, atol=1e-4)

    def test_alpha_beside_a_file_of_peft(self, bench: LoraPipelines, tmp_path: Path) -> None:
        """A folder of peft has it in ``adapter_config.json``."""
        (tmp_path / "adapter_config.json").write_text(json.dumps({"lora_alpha": 6, "r": RANK}))
        tensors = {
            "base_model.model.blocks.1.attn1.to_q.lora_A.weight": A,
            "base_model.model.blocks.1.attn1.to_q.lora_B.weight": B,
        }
        with bench.apply_loras(tmp_path, tensors, name="adapter_model.safetensors") as worn:
            expected = worn.before[f"{Q}.weight"] + 6 / RANK * CHANGE
            assert torch.allclose(worn.weight(Q), expected, atol=1e-5)

    def test_matrices_in_eight_bits(self, bench: LoraPipelines, tmp_path: Path) -> None:
        """Files that were made small are read."""
        small = {
            "diffusion_model.blocks.1.self_attn.q.lora_A.weight": A.to(torch.float8_e4m3fn),
            "diffusion_model.blocks.1.self_attn.q.lora_B.weight": B.to(torch.float8_e5m2),
        }
        with bench.apply_loras(tmp_path, small) as worn:
            a, b = (tensor.float() for tensor in small.values())
            assert torch.allclose(worn.weight(Q), worn.before[f"{Q}.weight"] + b @ a, atol=1e-6)


class TestHunyuan:
    def test_layers_that_the_authors_have_as_one(
        self, bench: LoraPipelines, tmp_path: Path
    ) -> None:
        """A LoRA on all of q, k, v (and the MLP) at once changes each by its rows."""
        size, mlp = 32, 128
        double, single = matrix("u", 3 * size, RANK), matrix("v", 3 * size + mlp, RANK)
        down = matrix("d", RANK, size)
        tensors = {
            "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": down,
            "lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight": double,
            "diffusion_model.single_blocks.0.linear1.lora_A.weight": down.clone(),
            "diffusion_model.single_blocks.0.linear1.lora_B.weight": single,
        }
        parts = [f"transformer_blocks.0.attn.to_{name}" for name in "qkv"]
        singles = [f"single_transformer_blocks.0.attn.to_{name}" for name in "qkv"]
        singles.append("single_transformer_blocks.0.proj_mlp")
        with bench.apply_loras(tmp_path, tensors, kind="hunyuan") as worn:
            assert worn.facts["layers"] == 2
            for names, up in ((parts, double), (singles, single)):
                start = 0
                for name in names:
                    before = worn.before[f"{name}.weight"]
                    rows = up[start : start + before.shape[0]]
                    start += before.shape[0]
                    assert torch.allclose(worn.weight(name), before + rows @ down, atol=1e-5)

    def test_halves_that_are_turned(self, bench: LoraPipelines, tmp_path: Path) -> None:
        """The last layer's scale and shift are the other way round in diffusers."""
        shape = bench.shape("norm_out.linear.weight", kind="hunyuan")
        change = matrix("x", *shape)
        tensors = {
            "diffusion_model.final_layer.adaLN_modulation.1.diff": change,
            "diffusion_model.single_blocks.0.linear2.diff_b": torch.ones(32),
        }
        with bench.apply_loras(tmp_path, tensors, kind="hunyuan") as worn:
            shift, scale = change.chunk(2)
            expected = worn.before["norm_out.linear.weight"] + torch.cat([scale, shift])
            assert torch.allclose(worn.weight("norm_out.linear"), expected, atol=1e-6)


def tensors_of(layers: list[str], width: int = WIDTH) -> dict[str, torch.Tensor]:
    """Return pairs of matrices on some layers."""
    tensors = {}
    for layer in layers:
        tensors[f"diffusion_model.{layer}.lora_A.weight"] = 0.1 * torch.ones(RANK, width)
        tensors[f"diffusion_model.{layer}.lora_B.weight"] = 0.1 * torch.ones(width, RANK)
    return tensors


class TestLeftOut:
    def test_what_the_model_lacks_is_counted_and_named(
        self, bench: LoraPipelines, tmp_path: Path
    ) -> None:
        """Of a picture model's LoRA, the layers that look at the picture are left out, and said."""
        here = [f"blocks.0.self_attn.{name}" for name in "qkvo"]
        tensors = tensors_of([*here, "blocks.0.cross_attn.k_img"])
        tensors |= {
            "lora_te_layers_0_q.lora_down.weight": A,
            "lora_te_layers_0_q.lora_up.weight": B,
        }
        with bench.apply_loras(tmp_path, tensors) as worn:
            assert worn.facts["layers"] == 4
            assert worn.facts["left_out"] == {
                "layers": 2,
                "why": {"no such layer": 1, "of the text encoder": 1},
                "such_as": ["diffusion_model.blocks.0.cross_attn.k_img"],
            }

    def test_a_width_that_differs_in_one_layer(self, bench: LoraPipelines, tmp_path: Path) -> None:
        """The entrance of a control model is wider; the rest is applied, and it is named."""
        tensors = tensors_of(["blocks.0.self_attn.q", "blocks.0.self_attn.k"])
        layer = "diffusion_model.patch_embedding"
        tensors[f"{layer}.lora_A.weight"] = torch.ones(RANK, 7)
        tensors[f"{layer}.lora_B.weight"] = torch.ones(WIDTH, RANK)
        with bench.apply_loras(tmp_path, tensors) as worn:
            assert worn.facts["left_out"]["why"] == {"another shape": 1}

    @pytest.mark.parametrize(
        ("tensors", "words"),
        [
            (tensors_of(["blocks.0.self_attn.q"], 64), r"none of its 1 layers .*another shape.*64"),
            (tensors_of(["joint_blocks.0.q"]), "fits no layer"),
            (
                tensors_of([f"blocks.{n}.self_attn.q" for n in range(5)]),
                r"only 2 of its 5 layers .*blocks\.2\.self_attn\.q",
            ),
        ],
    )
    def test_a_file_that_hardly_fits_is_refused(
        self, bench: LoraPipelines, tmp_path: Path, tensors: dict[str, torch.Tensor], words: str
    ) -> None:
        """Below half of its layers a file is for another model; the error says what differs."""
        with pytest.raises(ValidationError, match=words), bench.apply_loras(tmp_path, tensors):
            pass
        assert bench.is_unchanged()

    def test_half_of_a_pair_is_no_layer(self, bench: LoraPipelines, tmp_path: Path) -> None:
        """A file that was cut short is not applied as far as it goes, without a word."""
        tensors = tensors_of([f"blocks.0.self_attn.{name}" for name in "qkv"])
        del tensors["diffusion_model.blocks.0.self_attn.v.lora_B.weight"]
        with bench.apply_loras(tmp_path, tensors) as worn:
            assert worn.facts["left_out"]["why"] == {"a part of its matrices is missing": 1}


class TestNamesOfOtherModels:
    """Names that are those of a layer here but for a prefix, with matrices that would fit."""

    @pytest.mark.parametrize(
        ("kind", "layer"),
        [
            ("vace", "transformer.transformer_blocks.1.attn1.to_q"),
            ("vace", "transformer_blocks.1.attn1.to_q"),
            ("vace", "lora_unet_transformer_blocks_1_attn1_to_q"),
            ("vace", "diffusion_model.transformer_blocks.1.attn1.to_q"),
            ("experts", "vace_blocks.1.attn1.to_q"),
            ("experts", "lora_unet_vace_blocks_1_self_attn_q"),
            ("experts", "vace.vace_blocks.1.self_attn.q"),
        ],
    )
    def test_they_fit_no_layer(
        self, bench: LoraPipelines, tmp_path: Path, kind: str, layer: str
    ) -> None:
        """The control blocks of VACE are not those of Wan, and LTX's are not either."""
        tensors = {f"{layer}.lora_A.weight": A, f"{layer}.lora_B.weight": B}
        refused = pytest.raises(ValidationError, match="fits no layer")
        with refused, bench.apply_loras(tmp_path, tensors, kind=kind):
            pass

    def test_dots_keep_prefixes_apart(self, bench: LoraPipelines, tmp_path: Path) -> None:
        """``transformer.blocks`` is not ``transformer_blocks``."""
        size = 32
        for layer in ("transformer.blocks.0.attn.to_q", "blocks.0.attn.to_q"):
            tensors = {
                f"{layer}.lora_A.weight": torch.ones(RANK, size),
                f"{layer}.lora_B.weight": torch.ones(size, RANK),
            }
            refused = pytest.raises(ValidationError, match="fits no layer")
            with refused, bench.apply_loras(tmp_path, tensors, kind="hunyuan"):
                pass


class TestTwoExperts:
    FIRST = ("transformer_1.", "high_noise_model.", "diffusion_model.transformer_1.", "")
    SECOND = ("transformer_2.", "low_noise_model.", "diffusion_model.transformer_2.", "pipe.dit2.")

    @pytest.mark.parametrize(("first", "second"), list(zip(FIRST, SECOND, strict=True)))
    def test_one_file_for_both(
        self, bench: LoraPipelines, tmp_path: Path, first: str, second: str
    ) -> None:
        """Each expert gets the layers that are marked as its own."""
        tensors = {}
        for prefix, strength in ((first, 1.0), (second, 2.0)):
            tensors[f"{prefix}blocks.1.attn1.to_q.lora_A.weight"] = A.clone()
            tensors[f"{prefix}blocks.1.attn1.to_q.lora_B.weight"] = strength * B
        with bench.apply_loras(tmp_path, tensors, kind="experts") as worn:
            assert worn.facts["layers"] == 2
            for component, strength in (("transformer", 1.0), ("transformer_2", 2.0)):
                before = worn.first[component][f"{Q}.weight"]
                made = worn.weight(Q, component=component)
                assert torch.allclose(made, before + strength * CHANGE, atol=1e-5)

    def test_one_of_them_on_a_model_with_one(self, bench: LoraPipelines, tmp_path: Path) -> None:
        """A model of one transformer takes the first expert's layers, and the others are named."""
        tensors = {}
        for expert in (1, 2):
            tensors[f"transformer_{expert}.blocks.1.attn1.to_q.lora_A.weight"] = expert * A
            tensors[f"transformer_{expert}.blocks.1.attn1.to_q.lora_B.weight"] = B.clone()
        with bench.apply_loras(tmp_path, tensors) as worn:
            assert torch.allclose(worn.weight(Q), worn.before[f"{Q}.weight"] + CHANGE, atol=1e-6)
            assert worn.facts["left_out"]["why"] == {"of the other expert": 1}


KINDS: dict[str, Callable[[], dict[str, torch.Tensor]]] = {
    "OFT": lambda: {"oft_blocks": torch.ones(2, 2, 2)},
    "BOFT": lambda: {"boft_R": torch.ones(2)},
    "IA3": lambda: {"ia3_l": torch.ones(WIDTH)},
    "GLoRA": lambda: {"a1.weight": torch.ones(2, 2), "b1.weight": torch.ones(2, 2)},
    "VeRA": lambda: {"vera_lambda_b": torch.ones(WIDTH)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_are_refused_by_name(tmp_path: Path, kind: str) -> None:
    """What cannot be applied is refused before anything runs, with the name of its kind."""
    from tiomagic_domain.catalogue.lora import Lora
    from tiomagic_local.options import LocalOptions
    from tiomagic_local.weights.lora_files import check_loras

    path = tmp_path / "style.safetensors"
    layer = "lycoris_blocks_0_self_attn_q"
    save_file({f"{layer}.{role}": tensor for role, tensor in KINDS[kind]().items()}, path)
    with pytest.raises(ValidationError, match=rf"{kind}.*, which is not applied"):
        check_loras([Lora(source=str(path))], LocalOptions())


@pytest.mark.parametrize("type_", [torch.int8, torch.uint8, torch.int32])
def test_matrices_of_whole_numbers_are_refused(tmp_path: Path, type_: torch.dtype) -> None:
    """They need factors that no LoRA file has; a whole number as strength is one like any other."""
    from tiomagic_domain.catalogue.lora import Lora
    from tiomagic_local.options import LocalOptions
    from tiomagic_local.weights.lora_files import check_loras

    path = tmp_path / "style.safetensors"
    layer = "transformer.blocks.1.attn1.to_q"
    tensors = {f"{layer}.lora_A.weight": A, f"{layer}.lora_B.weight": B}
    save_file({**tensors, f"{layer}.alpha": torch.tensor(4)}, path)
    check_loras([Lora(source=str(path))], LocalOptions())
    save_file({name: tensor.to(type_) for name, tensor in tensors.items()}, path)
    with pytest.raises(ValidationError, match="whole numbers"):
        check_loras([Lora(source=str(path))], LocalOptions())


@pytest.mark.parametrize("name", ["style.pt", "style.ckpt", "adapter_model.bin", "style.gguf"])
def test_other_formats_say_how_to_convert(tmp_path: Path, name: str) -> None:
    """A pickled file is never opened; the error has the line that converts it."""
    from tiomagic_domain.catalogue.lora import Lora
    from tiomagic_local.options import LocalOptions
    from tiomagic_local.weights.lora_files import check_loras

    (tmp_path / name).write_bytes(b"\x80\x02}q\x00.")
    words = (
        "safetensors" if name.endswith("gguf") else rf"save_file.*{Path(name).stem}\.safetensors"
    )
    with pytest.raises(ValidationError, match=words):
        check_loras([Lora(source=str(tmp_path / name))], LocalOptions())


def test_the_bench_is_as_it_was(bench: LoraPipelines) -> None:
    """After all of it no transformer has anything left."""
    assert bench.is_unchanged()
