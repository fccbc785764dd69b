"""Changes beside plain LoRA: computed as LyCORIS and ComfyUI do, added up, and taken off again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from tests.local.lora.bench import RANK, WIDTH, LoraPipelines, matrix

Q, LAYER = "blocks.1.attn1.to_q", "diffusion_model.blocks.1.self_attn.q"
EXACT = 1e-5
A, B = matrix("a", RANK, WIDTH), matrix("b", WIDTH, RANK)


@pytest.fixture(scope="module")
def bench() -> LoraPipelines:
    """Tiny transformers that LoRAs are put on."""
    return LoraPipelines()


def named(tensors: dict[str, torch.Tensor], layer: str = LAYER) -> dict[str, torch.Tensor]:
    """Return tensors with the names of a layer before them."""
    return {f"{layer}.{role}": tensor for role, tensor in tensors.items()}


class TestKinds:
    def test_loha(self, bench: LoraPipelines, tmp_path: Path) -> None:
        """The product of two low-rank matrices, number by number, times alpha over the rank."""
        w = {f"hada_w{n}_{m}": matrix(f"{n}{m}", *s) for n in "12" for m, s in SIDES.items()}
        tensors = named({**w, "alpha": torch.tensor(1.0)})
        expected = (w["hada_w1_a"] @ w["hada_w1_b"]) * (w["hada_w2_a"] @ w["hada_w2_b"]) / RANK
        with bench.apply_loras(tmp_path, tensors) as worn:
            assert worn.facts["kinds"] == {"LoHa": 1}
            assert torch.allclose(worn.weight(Q), worn.before[f"{Q}.weight"] + expected, atol=EXACT)
            assert worn.changed() == {f"{Q}.weight"}
        assert bench.is_unchanged()

    @pytest.mark.parametrize("whole", [True, False])
    def test_lokr(self, bench: LoraPipelines, tmp_path: Path, whole: bool) -> None:
        """The Kronecker product; alpha counts only where a side is itself a product."""
        small, large = matrix("s", 4, 4), matrix("l", WIDTH // 4, WIDTH // 4)
        a, b = matrix("la", WIDTH // 4, RANK), matrix("lb", RANK, WIDTH // 4)
        sides = {"lokr_w2": large} if whole else {"lokr_w2_a": a, "lokr_w2_b": b}
        tensors = named({"lokr_w1": small, **sides, "alpha": torch.tensor(1.0)})
        expected = torch.kron(small, large) if whole else torch.kron(small, a @ b) / RANK
        with bench.apply_loras(tmp_path, tensors) as worn:
            assert torch.allclose(worn.weight(Q), worn.before[f"{Q}.weight"] + expected, atol=EXACT)
        assert bench.is_unchanged()

    @pytest.mark.parametrize("role", ["dora_scale", "lora_magnitude_vector", "magnitude"])
    @pytest.mark.parametrize("scale", [1.0, 0.5])
    def test_dora_by_rows(
        self, bench: LoraPipelines, tmp_path: Path, role: str, scale: float
    ) -> None:
        """Each row gets a length; at half the strength it is half way there."""
        magnitude = 1 + matrix("m", WIDTH).abs()
        shape = (WIDTH, 1) if role == "dora_scale" else (WIDTH,)
        tensors = named({"lora_A.weight": A, "lora_B.weight": B, role: magnitude.reshape(shape)})
        before = bench.pipeline("vace")[1]["transformer"][f"{Q}.weight"]
        made = before + B @ A
        made = made / made.norm(dim=1, keepdim=True) * magnitude[:, None]
        with bench.apply_loras(tmp_path, tensors, scale=scale) as worn:
            assert worn.facts["kinds"] == {"DoRA": 1}
            assert torch.allclose(worn.weight(Q), before + scale * (made - before), atol=1e-4)
        assert bench.is_unchanged()

    def test_dora_by_columns(self, bench: LoraPipelines, tmp_path: Path) -> None:
        """Older files of LyCORIS give each column its length."""
        magnitude = 1 + matrix("m", 1, WIDTH).abs()
        tensors = named({"lora_down.weight": A, "lora_up.weight": B, "dora_scale": magnitude})
        with bench.apply_loras(tmp_path, tensors) as worn:
            made = worn.before[f"{Q}.weight"] + B @ A
            made = made / made.norm(dim=0, keepdim=True) * magnitude
            assert torch.allclose(worn.weight(Q), made, atol=1e-4)
        assert bench.is_unchanged()

    def test_a_convolution(self, bench: LoraPipelines, tmp_path: Path) -> None:
        """The entrance of the model is one; with a matrix between the two as well."""
        shape = bench.shape("patch_embedding.weight")
        down, up = matrix("d", RANK, *shape[1:]), matrix("u", shape[0], RANK, 1, 1, 1)
        layer = "diffusion_model.patch_embedding"
        tensors = named({"lora_down.weight": down, "lora_up.weight": up}, layer)
        with bench.apply_loras(tmp_path, tensors) as worn:
            change = torch.einsum("or,ri...->oi...", up.flatten(1), down)
            expected = worn.before["patch_embedding.weight"] + change
            assert torch.allclose(worn.weight("patch_embedding"), expected, atol=EXACT)
        middle = matrix("x", RANK, RANK, *shape[2:])
        down = matrix("d", RANK, shape[1], 1, 1, 1)
        tensors = named(
            {"lora_down.weight": down, "lora_up.weight": up, "lora_mid.weight": middle}, layer
        )
        with bench.apply_loras(tmp_path, tensors) as worn:
            change = torch.zeros(shape)
            for o in range(shape[0]):
                for i in range(shape[1]):
                    for r in range(RANK):
                        for s in range(RANK):
                            change[o, i] += up.flatten(1)[o, r] * middle[r, s] * down[s, i, 0, 0, 0]
            expected = worn.before["patch_embedding.weight"] + change
            assert torch.allclose(worn.weight("patch_embedding"), expected, atol=EXACT)
        assert bench.is_unchanged()

    def test_differences_of_all_that_is_no_matrix(
        self, bench: LoraPipelines, tmp_path: Path
    ) -> None:
        """Norms, biases and modulation, of which diffusers drops the first and the last."""
        size = WIDTH
        block = bench.shape("blocks.0.scale_shift_table")
        tensors = {
            "diffusion_model.blocks.0.norm3.diff": matrix("n", size),
            "diffusion_model.blocks.0.norm3.diff_b": matrix("nb", size),
            "diffusion_model.blocks.0.self_attn.norm_q.diff": matrix("nq", size),
            "diffusion_model.blocks.0.self_attn.q.diff_b": matrix("qb", size),
            "diffusion_model.blocks.0.diff_m": matrix("mod", *block),
            "diffusion_model.head.diff_m": matrix("head", 1, 2, size),
            "diffusion_model.blocks.1.cross_attn.norm_k.w_norm": matrix("w", size),
        }
        changed = {
            "blocks.0.norm2.weight": "n",
            "blocks.0.norm2.bias": "nb",
            "blocks.0.attn1.norm_q.weight": "nq",
            "blocks.0.attn1.to_q.bias": "qb",
            "blocks.0.scale_shift_table": "mod",
            "scale_shift_table": "head",
            "blocks.1.attn2.norm_k.weight": "w",
        }
        with bench.apply_loras(tmp_path, tensors, scale=0.5) as worn:
            assert worn.facts["kinds"] == {"norm": 3, "bias": 1, "modulation": 2}
            now = worn.pipeline.transformer.state_dict()
            for name, before in worn.before.items():
                word = changed.get(name)
                change = torch.zeros(()) if word is None else matrix(word, *before.shape)
                assert torch.allclose(now[name], before + 0.5 * change, atol=1e-6), name
        assert bench.is_unchanged()

    def test_biases_of_some_layers_beside_matrices(
        self, bench: LoraPipelines, tmp_path: Path
    ) -> None:
        """A file that was extracted: matrices everywhere, biases here and there."""
        tensors = {}
        for name in "qkv":
            layer = f"diffusion_model.blocks.0.self_attn.{name}"
            tensors |= named({"lora_down.weight": A, "lora_up.weight": B}, layer)
        tensors["diffusion_model.blocks.0.self_attn.q.diff_b"] = torch.ones(WIDTH)
        with bench.apply_loras(tmp_path, tensors) as worn:
            assert worn.facts["layers"] == 3
            layer = worn.pipeline.transformer.get_submodule("blocks.0.attn1.to_q")
            given = torch.zeros(1, WIDTH)
            assert torch.allclose(
                layer(given)[0], worn.before["blocks.0.attn1.to_q.bias"] + 1, atol=EXACT
            )
        assert bench.is_unchanged()

    def test_a_layer_that_was_trained_as_a_whole(
        self, bench: LoraPipelines, tmp_path: Path
    ) -> None:
        """What peft saves of ``modules_to_save`` takes the place of what was there."""
        whole = matrix("whole", WIDTH, WIDTH)
        tensors = {
            "base_model.model.blocks.1.attn1.to_q.modules_to_save.default.weight": whole,
            "base_model.model.blocks.0.attn1.to_q.lora_A.weight": A,
            "base_model.model.blocks.0.attn1.to_q.lora_B.weight": B,
        }
        with bench.apply_loras(tmp_path, tensors) as worn:
            assert torch.allclose(worn.weight(Q), whole, atol=EXACT)
        assert bench.is_unchanged()


SIDES = {"a": (WIDTH, RANK), "b": (RANK, WIDTH)}


class TestTogether:
    def test_several_files_add_up(self, bench: LoraPipelines, tmp_path: Path) -> None:
        """LoRA, LoKr and a difference on one layer, each at its strength."""
        pair = named({"lora_A.weight": A, "lora_B.weight": B})
        small, large = matrix("s", 4, 4), matrix("l", WIDTH // 4, WIDTH // 4)
        difference = matrix("diff", WIDTH, WIDTH)
        more = {
            "kron.safetensors": (named({"lokr_w1": small, "lokr_w2": large}), 2.0),
            "diff.safetensors": (named({"diff": difference}), -0.5),
        }
        with bench.apply_loras(tmp_path, pair, scale=0.25, more=more) as worn:
            expected = worn.before[f"{Q}.weight"] + 0.25 * B @ A
            expected = expected + 2 * torch.kron(small, large) - 0.5 * difference
            assert torch.allclose(worn.weight(Q), expected, atol=EXACT)
        assert bench.is_unchanged()

    def test_no_strength_is_no_change(self, bench: LoraPipelines, tmp_path: Path) -> None:
        """At 0 every weight is bit for bit what it is without."""
        tensors = named({"diff": matrix("diff", WIDTH, WIDTH), "diff_b": torch.ones(WIDTH)})
        with bench.apply_loras(tmp_path, tensors, scale=0.0) as worn:
            now = worn.pipeline.transformer.state_dict()
            assert all(torch.equal(now[name], tensor) for name, tensor in worn.before.items())

    def test_what_fails_half_way_leaves_nothing(self, bench: LoraPipelines, tmp_path: Path) -> None:
        """The second file does not fit; what the first has changed is put back."""
        good = named({"diff": matrix("diff", WIDTH, WIDTH), "lora_A.weight": A})
        more = {"bad.safetensors": (named({"diff": torch.ones(3, 3)}), 1.0)}
        refused = pytest.raises(ValueError, match=r"bad\.safetensors")
        with refused, bench.apply_loras(tmp_path, good, more=more):
            pass
        assert bench.is_unchanged()


@pytest.mark.parametrize("plan", ["RESIDENT", "GROUP_OFFLOAD", "DISK_OFFLOAD"])
def test_weights_of_a_loaded_model_and_their_file_stay(
    weights_dir: Path, tmp_path: Path, plan: str
) -> None:
    """Wherever weights wait, they are changed for the block, put back, and so is the file."""
    from safetensors.torch import save_file

    from tiomagic_domain.catalogue.lora import Lora
    from tiomagic_local.memory.plans import MemoryPlan
    from tiomagic_local.runtime.call_loras import CallLoras
    from tiomagic_local.runtime.loader import load_pipeline
    from tiomagic_local.runtime.lora_adapters import LoraAdapters
    from tiomagic_local.weights.locate import Origin, Weights
    from tiomagic_local.weights.lora_files import FoundLora

    folder = weights_dir / "wan2.1-t2v-1.3b"
    (file,) = (folder / "transformer").glob("*.safetensors")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    pipeline = load_pipeline(
        Weights(folder=folder, origin=Origin.WEIGHTS_DIR, revision="x"),
        pipeline="WanPipeline",
        fp32=("vae",),
        dtype=torch.float32,
        device=torch.device("cpu"),
        plan=MemoryPlan[plan],
    )
    part = pipeline.transformer
    before = {name: tensor.clone() for name, tensor in part.state_dict().items()}
    path = tmp_path / "mixed.safetensors"
    tensors = {
        "blocks.0.norm3.diff": torch.ones(WIDTH),
        "blocks.0.diff_m": torch.ones(1, 6, WIDTH),
        "blocks.0.self_attn.q.lora_A.weight": A,
        "blocks.0.self_attn.q.lora_B.weight": B,
    }
    save_file(tensors, path)
    lora = Lora(source=str(path))
    loras = CallLoras(asked=[FoundLora(lora=lora, path=path, pinned=lora)])
    with LoraAdapters(pipeline).apply_loras(loras):
        now = part.state_dict()
        for name in ("blocks.0.norm2.weight", "blocks.0.scale_shift_table"):
            assert torch.allclose(now[name], before[name] + 1)
    now = part.state_dict()
    assert now.keys() == before.keys()
    assert all(torch.equal(now[name], tensor) for name, tensor in before.items())
    assert hashlib.sha256(file.read_bytes()).hexdigest() == digest
