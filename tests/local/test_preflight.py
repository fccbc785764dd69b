"""What a run meets on this machine, from real sizes on the disk and the facts of any machine."""

import ctypes
import json
import shutil
import struct
import sys
from pathlib import Path

import pytest

from tiomagic_domain.catalogue import models
from tiomagic_domain.catalogue.pose_parameters import FINDS_POSES
from tiomagic_domain.ports.preflight import RunConditions
from tiomagic_domain.preflight.judgement import choose_plan, find_verdict, judge
from tiomagic_domain.preflight.speeds import gpu_flops
from tiomagic_domain.usecases.preflight import PreflightChecks
from tiomagic_local.options import LocalOptions
from tiomagic_local.preflight import stored_weights
from tiomagic_local.preflight.conditions import look_ahead, run_device
from tiomagic_local.preflight.gpus import InstalledGpu, ask_driver, visible_gpus
from tiomagic_local.preflight.machine import MachineFacts, parse_torch_build, read_machine
from tiomagic_local.preflight.run_time import SHAPES, count_operations
from tiomagic_local.preflight.stored_weights import find_stored_weights, free_bytes
from tiomagic_local.provider import LocalProvider
from tiomagic_local.quantized.made_cache import made_weights_folder
from tiomagic_media.pose.models import (
    DETECTOR_FILE,
    FOLDER_VARIABLE,
    POSE_FILE,
    REPOSITORY,
    REVISION,
    SIZES,
    count_missing_bytes,
)

GIB = 2**30
VACE = models()["wan2.1-vace-14b"]
SMALL = models()["wan2.1-t2v-1.3b"]
DEFAULTS = {
    "width": 832,
    "height": 480,
    "num_frames": 81,
    "num_inference_steps": 50,
    "guidance_scale": 5.0,
}
LAPTOP = MachineFacts(main_gib=23.0, free_main_gib=21.0, cores=2)
SERVER = MachineFacts(main_gib=512.0, free_main_gib=500.0, cores=2)


def gpu(title: str = "NVIDIA GeForce RTX 4090", memory: float = 24.0) -> InstalledGpu:
    return InstalledGpu(title=title, uuid=f"GPU-{title}", memory_gib=memory, free_gib=memory - 0.5)


def with_gpu(memory: float, title: str = "NVIDIA GeForce RTX 4090") -> MachineFacts:
    return MachineFacts(gpus=(gpu(title, memory),), main_gib=64.0, free_main_gib=60.0, cores=8)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache is an empty folder of the test."""
    from huggingface_hub import constants

    cache = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    return cache


@pytest.fixture(autouse=True)
def large_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for all weights, however full the disk of the tests is."""
    monkeypatch.setattr(stored_weights, "free_bytes", lambda _folder: 500 * GIB)


def write_weights(path: Path, size: int) -> None:
    """Write a sparse safetensors file of a size: a header, and no tensor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 2) + b"{}")
        file.truncate(size)


def save_pipeline(folder: Path, *, transformer: int, text_encoder: int) -> Path:
    """Write a folder with a pipeline of real sizes, which takes no room on the disk."""
    write_weights(folder / "transformer" / "diffusion_pytorch_model.safetensors", transformer)
    write_weights(folder / "text_encoder" / "model.safetensors", text_encoder)
    (folder / "model_index.json").write_text("{}", encoding="utf-8")
    return folder


def judged(card, conditions: RunConditions) -> tuple[set[str], str]:
    """Return the parts with a problem, and the verdict."""
    checks = judge(card, conditions, conditions.time)
    verdict = find_verdict(card, conditions, conditions.time, checks)
    return {check.part for check in checks if check.outcome == "problem"}, verdict.value


def test_a_large_model_on_a_laptop_without_a_gpu() -> None:
    """Weeks, and three times the memory that it has; nothing of the weights is here."""
    found = look_ahead(VACE, DEFAULTS, LocalOptions(), LAPTOP)
    assert judged(VACE, found) == ({"time", "memory"}, "no")
    assert found.weights is not None
    assert (found.weights.here_bytes, found.weights.is_exact) == (0, False)
    assert found.weights.fetch_bytes == pytest.approx(43.4 * GIB, rel=0.001)
    assert found.plans[0].main_gib == pytest.approx(86.8)


def test_tiny_weights_of_a_large_name_are_judged_by_their_own_size(tmp_path: Path) -> None:
    """A folder with a few megabytes runs on any CPU, whatever the card says."""
    save_pipeline(tmp_path / VACE.name, transformer=3 << 20, text_encoder=1 << 20)
    for options in (
        LocalOptions(weights_dir=tmp_path),
        LocalOptions(model_path=tmp_path / VACE.name),
    ):
        found = look_ahead(VACE, DEFAULTS, options, LAPTOP)
        assert judged(VACE, found) == (set(), "fits")
        assert found.weights is not None
        assert found.weights.fetch_bytes == 0


def test_a_folder_with_the_true_weights_is_judged_as_the_model(tmp_path: Path) -> None:
    """That they are here already makes a CPU no faster."""
    save_pipeline(tmp_path / VACE.name, transformer=33 * GIB, text_encoder=10 * GIB)
    found = look_ahead(VACE, DEFAULTS, LocalOptions(weights_dir=tmp_path), LAPTOP)
    assert judged(VACE, found) == ({"time", "memory"}, "no")


def test_a_small_video_on_a_large_cpu_is_slow_and_not_refused() -> None:
    """The small Wan at a small size takes hours at most; at its own size it would take days."""
    tiny = {"width": 416, "height": 240, "num_frames": 33, "num_inference_steps": 20}
    found = look_ahead(SMALL, {**tiny, "guidance_scale": 5.0}, LocalOptions(), SERVER)
    assert judged(SMALL, found)[0] == set()
    found = look_ahead(SMALL, DEFAULTS, LocalOptions(), SERVER)
    assert judged(SMALL, found) == ({"time"}, "no")


@pytest.mark.parametrize(
    ("memory", "plan", "verdict"),
    [(80.0, "resident", "fits"), (48.0, "model_offload", "fits"), (4.0, None, "no")],
)
def test_the_memory_of_a_gpu_decides_the_plan(
    memory: float, plan: str | None, verdict: str
) -> None:
    """At the default size; 14 billion parameters run in a part of their weights."""
    settings = {"width": 832, "height": 480, "num_frames": 81}
    found = look_ahead(VACE, settings, LocalOptions(), with_gpu(memory))
    chosen = choose_plan(found)
    assert (chosen and chosen.plan) == plan
    assert judged(VACE, found)[1] == verdict


def test_a_memory_plan_that_was_chosen_is_the_one_that_is_judged() -> None:
    """``memory="resident"`` does not fit where offloading would."""
    settings = {"width": 832, "height": 480, "num_frames": 81, "memory": "resident"}
    found = look_ahead(VACE, settings, LocalOptions(), with_gpu(24.0))
    assert [plan.plan for plan in found.plans] == ["resident"]
    assert judged(VACE, found) == ({"device"}, "no")


SMALL_MAIN = MachineFacts(gpus=(gpu(),), main_gib=16.0, free_main_gib=14.0, cores=8)


def test_weights_that_main_memory_has_no_room_for_stay_on_the_disk() -> None:
    """The run is told to be slow, and not refused; with room for them they wait there."""
    settings = {"width": 832, "height": 480, "num_frames": 81}
    found = look_ahead(VACE, settings, LocalOptions(), SMALL_MAIN)
    chosen = choose_plan(found)
    assert chosen is not None
    assert (chosen.plan, chosen.reads_disk) == ("disk_offload", True)
    assert chosen.main_gib < 10
    assert judged(VACE, found) == (set(), "slow")
    warned = [check.message for check in judge(VACE, found, None) if check.part == "memory"]
    assert warned == [
        "main memory is too small for the weights: they are read from the disk at every step"
    ]
    found = look_ahead(VACE, settings, LocalOptions(), with_gpu(24.0))
    assert (choose_plan(found) or chosen).plan == "group_offload"


def test_a_plan_without_room_in_main_memory_names_the_one_with_room() -> None:
    """``memory="group_offload"`` is what the user wants, and cannot be."""
    settings = {"width": 832, "height": 480, "num_frames": 81, "memory": "group_offload"}
    found = look_ahead(VACE, settings, LocalOptions(), SMALL_MAIN)
    assert judged(VACE, found) == ({"memory"}, "no")
    (told,) = [check.message for check in judge(VACE, found, None) if check.part == "memory"]
    assert told.startswith("it takes 46 GiB of main memory, and there are 16 GiB; ")
    assert 'memory="disk_offload"' in told


def test_weights_that_stay_on_the_gpu_need_little_main_memory() -> None:
    """They are loaded straight to it: a small machine with a large card runs them."""
    large = MachineFacts(gpus=(gpu("NVIDIA H100", 80.0),), main_gib=16.0, free_main_gib=14.0)
    settings = {"width": 832, "height": 480, "num_frames": 81}
    found = look_ahead(VACE, settings, LocalOptions(), large)
    assert (choose_plan(found), judged(VACE, found)[1]) == (found.plans[0], "fits")


def test_weights_that_the_user_chose_are_never_refused_by_the_card() -> None:
    """A repository of one's own may have a smaller model: what it needs is not known."""
    options = LocalOptions(model_path=Path("me/my-vace"))
    assert judged(VACE, look_ahead(VACE, {}, options, LAPTOP))[0] == set()


def test_the_hubs_list_gives_exact_sizes(empty_cache: Path) -> None:
    """After a download was begun: what is here counts, and what is not is to be fetched."""
    repository = empty_cache / f"models--{str(VACE.repository).replace('/', '--')}"
    commit = VACE.revision or "1" * 40
    if VACE.revision is None:
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "tiomagic").write_text(commit)
    name = "transformer/diffusion_pytorch_model.safetensors"
    listed = {
        name: {"size": 130, "blob_id": "b" * 40, "lfs_sha256": "a" * 64, "lfs_size": 30 * GIB},
        "vae/diffusion_pytorch_model.safetensors": {"size": 100, "blob_id": "c" * 40},
        "another.safetensors": {"size": 10**12, "blob_id": "d" * 40},
    }
    (repository / "trees").mkdir(parents=True)
    (repository / "trees" / f"{commit}.json").write_text(
        json.dumps({"format_version": 1, "files": listed})
    )
    write_weights(repository / "snapshots" / commit / name, 30 * GIB)
    found = find_stored_weights(VACE, LocalOptions()).on_disk
    assert (found.is_exact, found.here_bytes, found.fetch_bytes) == (True, 30 * GIB, 100)


def test_what_is_free_is_that_of_the_disk(tmp_path: Path) -> None:
    """Also of a folder that is not there yet."""
    total = shutil.disk_usage(tmp_path).total
    assert 0 < (free_bytes(tmp_path / "not" / "yet") or 0) <= total


def test_a_disk_that_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be fetched is compared with what is free where it would be kept."""
    monkeypatch.setattr(stored_weights, "free_bytes", lambda folder: 10 * GIB)
    found = look_ahead(VACE, {}, LocalOptions(), with_gpu(80.0))
    assert judged(VACE, found) == ({"disk"}, "no")


def test_weights_in_fewer_bits_are_counted_until_they_are_made(empty_cache: Path) -> None:
    """Those of one component and format, by the repository that they were made from."""
    settings = {**DEFAULTS, "quantization": "int8"}

    def to_make() -> float:
        found = look_ahead(VACE, settings, LocalOptions(), LAPTOP).weights
        assert found is not None
        return found.made_bytes / GIB

    everything = to_make()
    assert 0.5 * VACE.weights_gib < everything < 0.6 * VACE.weights_gib
    note = made_weights_folder() / "a1" / "made.json"
    note.parent.mkdir(parents=True)
    made = {"format": "int8", "layers": 3, "source": f"{next(iter(VACE.repositories))}/transformer"}
    note.write_text(json.dumps(made), encoding="utf-8")
    assert 0 < to_make() < 0.5 * everything
    settings["quantization"] = "none"
    assert to_make() == 0


def test_the_pose_estimator_is_part_of_the_download(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where skeletons are to be found in a plain video, and it is not here."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    doodle, needs = models()["doodle"], {FINDS_POSES: True}
    assert look_ahead(doodle, {}, LocalOptions(), LAPTOP).weights.fetch_bytes == 0
    found = look_ahead(doodle, needs, LocalOptions(), LAPTOP)
    assert found.weights.fetch_bytes == sum(SIZES.values())
    assert found.weights.place == str(empty_cache)
    told = [check.message for check in judge(doodle, found, found.time) if check.part == "disk"]
    assert "0.3 GiB of weights are to be downloaded for the pose estimator" in told[0]
    large = look_ahead(VACE, needs, LocalOptions(), with_gpu(80.0))
    told = [check.message for check in judge(VACE, large, large.time) if check.part == "disk"]
    assert "(0.3 GiB for the pose estimator)" in told[0]
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert look_ahead(doodle, needs, LocalOptions(), LAPTOP).weights.fetch_bytes == 0


def test_a_file_of_the_pose_estimator_that_is_here_is_not_counted(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    name = REPOSITORY.replace("/", "--")
    file = empty_cache / f"models--{name}" / "snapshots" / REVISION / POSE_FILE
    file.parent.mkdir(parents=True)
    file.touch()
    assert count_missing_bytes() == SIZES[DETECTOR_FILE]


@pytest.mark.parametrize("value", ["1", "yes"])
def test_no_download_is_offered_that_is_switched_off(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """A model that is not here cannot run then; one that comes with the package can."""
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    found = look_ahead(VACE, {}, LocalOptions(), with_gpu(80.0))
    assert judged(VACE, found) == ({"disk"}, "no")
    told = [check.message for check in judge(VACE, found, found.time) if check.part == "disk"]
    assert "HF_HUB_OFFLINE is set" in told[0]
    doodle = models()["doodle"]
    assert judged(doodle, look_ahead(doodle, {}, LocalOptions(), LAPTOP))[1] == "fits"


def test_every_model_has_a_figure_for_its_time() -> None:
    """Each large model of the catalogue is found in the table; a step more takes longer."""
    for card in models().values():
        if card.repository is None:
            continue
        steps = {"num_frames": 49, "num_inference_steps": 10}
        few = count_operations(card, steps, 1e9)
        assert few, card.name
        many = count_operations(card, {**steps, "num_inference_steps": 20}, 1e9)
        assert many == pytest.approx(2 * few)


def test_the_operations_of_wan_at_its_default_size() -> None:
    """32,760 tokens; by hand 9.4e14 for the layers and 8.8e14 for the attention of one pass."""
    assert SHAPES["wan"].width * SHAPES["wan"].layers == 204_800
    settings = {"width": 832, "height": 480, "num_frames": 81, "num_inference_steps": 1}
    found = count_operations(models()["wan2.1-t2v-14b"], settings, 14.32e9)
    assert found == pytest.approx(9.38e14 + 8.79e14, rel=0.01)


@pytest.mark.parametrize(
    ("title", "tera"),
    [
        ("NVIDIA H200", 989),
        ("NVIDIA L40S", 362),
        ("NVIDIA L4", 121),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA GeForce RTX 4070 Ti", 80),
        ("NVIDIA GeForce GTX 970", None),
    ],
)
def test_a_gpu_is_found_by_its_name(title: str, tera: float | None) -> None:
    """A name that begins as another one is not taken for it."""
    found = gpu_flops(title)
    assert (found and found / 0.4e12) == (tera and pytest.approx(tera))


TWO = MachineFacts(gpus=(gpu(), gpu("NVIDIA H100", 80.0)), main_gib=64.0)


@pytest.mark.parametrize(
    ("wanted", "machine", "name", "memory"),
    [
        (None, LAPTOP, "cpu", None),
        (None, with_gpu(24.0), "cuda:0", 24.0),
        ("cpu", with_gpu(24.0), "cpu", None),
        ("cuda", with_gpu(24.0), "cuda:0", 24.0),
        ("cuda:1", with_gpu(24.0), "cuda:1", None),
        ("cuda:0,cuda:1", TWO, "cuda:0", 80.0),
        (None, MachineFacts(has_mps=True, main_gib=32.0), "mps", 32.0),
        (None, MachineFacts(has_other_gpu=True), "cuda:0", None),
        ("xpu", LAPTOP, "xpu", None),
    ],
)
def test_the_device_is_the_one_that_torch_would_take(
    wanted: str | None, machine: MachineFacts, name: str, memory: float | None
) -> None:
    """CUDA, then MPS, then the CPU; of different GPUs the largest, for their order is CUDA's."""
    found = run_device(wanted, machine)
    assert (found.name, found.memory_gib) == (name, memory)


class FakeDriver:
    """NVIDIA's library with one GPU, as C functions that write through their pointers."""

    def __init__(self, code: int = 0) -> None:
        self.code, self.closed = code, False

    def nvmlInit_v2(self) -> int:  # noqa: N802 - the library's own names
        return self.code

    def nvmlShutdown(self) -> int:  # noqa: N802
        self.closed = True
        return 0

    def nvmlDeviceGetCount_v2(self, count) -> int:  # noqa: N802
        count._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index, handle) -> int:  # noqa: N802
        handle._obj.value = index + 1
        return 0 if index == 0 else 6

    def nvmlDeviceGetMemoryInfo(self, handle, memory) -> int:  # noqa: N802
        memory._obj.total, memory._obj.free = 24 * GIB, 20 * GIB
        return 0

    def nvmlDeviceGetName(self, handle, buffer, length) -> int:  # noqa: N802
        ctypes.memmove(buffer, b"NVIDIA L4\0", 10)
        return 0

    def nvmlDeviceGetUUID(self, handle, buffer, length) -> int:  # noqa: N802
        ctypes.memmove(buffer, b"GPU-7\0", 6)
        return 0


def test_the_driver_is_asked_without_torch() -> None:
    """A GPU that does not answer is left out, and the library is closed again."""
    driver = FakeDriver()
    found = ask_driver(driver)
    assert found == (InstalledGpu(title="NVIDIA L4", uuid="GPU-7", memory_gib=24.0, free_gib=20.0),)
    assert driver.closed
    assert ask_driver(FakeDriver(code=9)) == ()


def test_hidden_gpus_are_not_there() -> None:
    """``CUDA_VISIBLE_DEVICES`` chooses and orders, by number or id; nothing hides all."""
    first, second = gpu("A"), gpu("B")
    for chosen, seen in (
        (None, (first, second)),
        ("1,0", (second, first)),
        ("GPU-B", (second,)),
        ("", ()),
        ("-1", ()),
        ("0,9,1", (first,)),
    ):
        environment = {} if chosen is None else {"CUDA_VISIBLE_DEVICES": chosen}
        assert visible_gpus((first, second), environment) == seen


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("cuda: Optional[str] = '13.2'\nhip: Optional[str] = None\n", "cuda"),
        ("cuda: Optional[str] = None\nhip: Optional[str] = '6.2'\n", "hip"),
        ("cuda = None\nhip = None\n", "cpu"),
    ],
)
def test_the_build_of_torch_is_read_from_its_file(text: str, kind: str) -> None:
    """A build without CUDA cannot use the GPU that the driver reports."""
    assert parse_torch_build(text) == kind


def test_this_machine_is_looked_at_without_torch(tmp_path: Path) -> None:
    """In all parts, by the real functions; all models are asked and none imports torch."""
    before = "torch" in sys.modules
    machine = read_machine()
    assert machine.cores >= 1
    assert machine.main_gib is None or machine.main_gib > 0
    provider = LocalProvider(LocalOptions(device="cpu"), tmp_path / "spool")
    found = PreflightChecks({"local": provider}).check_models(models().values(), "local")
    assert set(found) == set(models())
    assert found["doodle"].fit == "fits"
    assert found["doodle"].is_here
    assert ("torch" in sys.modules) == before


def test_a_token_of_the_hub_is_seen_and_not_shown(tmp_path: Path) -> None:
    """From the settings or the file of the hub's own tools."""

    def is_there(options: LocalOptions) -> bool | None:
        return look_ahead(VACE, {}, options, LAPTOP).tokens[0].is_there

    assert is_there(LocalOptions()) is False
    assert is_there(LocalOptions(hf_token="hf_secret")) is True
    (tmp_path / "token").write_text("hf_secret")
    assert is_there(LocalOptions()) is True
    found = look_ahead(VACE, {}, LocalOptions(hf_token="hf_secret"), LAPTOP)
    assert "hf_secret" not in str(found.to_dict())
