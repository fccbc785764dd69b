"""The commands for weights, over a hub on this machine: what they print and what they leave."""

import json
from pathlib import Path

import pytest
from tests.facade.conftest import Run
from tests.local.hub_server import Hub, hub_server
from typer.testing import CliRunner

from tiomagic.cli.main import app
from tiomagic_domain.catalogue import find_model

__all__ = ["hub_server"]

SMALL, LARGE = "cogvideox-2b", "cogvideox-5b"
ENCODER, TRANSFORMER = "text_encoder/model.safetensors", "transformer/model.safetensors"


@pytest.fixture
def published(hub_server: Hub) -> Hub:
    """A hub with two models that have their text encoder in common."""
    for name, size in ((SMALL, 5 * 1024), (LARGE, 9 * 1024)):
        card = find_model(name)
        files = {"model_index.json": b"{}", ENCODER: b"e" * 2048, TRANSFORMER: b"t" * size}
        assert card.repository is not None
        assert card.revision is not None
        hub_server._commits[card.repository] = {card.revision: files}
    return hub_server


def test_a_download_is_looked_at_and_made(published: Hub, shell: Run) -> None:
    """First what it would fetch; stdout has the folder; then everything is here."""
    shown = shell("download", SMALL, "--dry-run")
    assert (shown.returncode, TRANSFORMER in shown.stdout) == (0, True), shown.stderr
    assert "7 KiB to download, of 7 KiB" in shown.stderr
    assert published.downloaded_files(find_model(SMALL).repository or "") == set()
    done = shell("download", SMALL)
    assert done.returncode == 0, done.stderr
    assert (Path(done.stdout.strip()) / TRANSFORMER).stat().st_size == 5 * 1024
    assert "its weights are here" in done.stderr
    again = json.loads(shell("download", SMALL, "--dry-run", "--json").stdout)
    assert {(file["model"], file["bytes_missing"]) for file in again} == {(SMALL, 0)}


def test_a_file_of_some_calls_says_which(hub_server: Hub, shell: Run) -> None:
    """The LoRAs that read control videos come along; every run reads the other files."""
    card = find_model("ltx-2")
    assert card.repository is not None
    assert card.revision is not None
    files = {"model_index.json": b"{}", TRANSFORMER: b"t" * 5000}
    hub_server._commits[card.repository] = {card.revision: files}
    loras = {weights.lora for weights in card.controls.values()}
    for lora in loras:
        hub_server.publish(lora.source, {str(lora.weight_name): b"l" * 2048, "other.txt": b"no"})
    shown = shell("download", "ltx-2", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    rows = [line for line in shown.stdout.splitlines() if "ic-lora" in line]
    assert len(rows) == len(loras) == 2
    assert rows[0].endswith("control='pose'")
    assert rows[1].endswith("control='depth' or 'edges'")
    (row,) = [line for line in shown.stdout.splitlines() if TRANSFORMER in line]
    assert "control" not in row
    assert shell("download", "ltx-2", "-q").returncode == 0
    (found,) = json.loads(shell("weights", "--json").stdout)["models"]
    assert found["bytes_here"] == 5002 + 2 * 2048
    assert {name.partition("@")[0] for name in found["sources"]} >= {lora.source for lora in loras}


@pytest.mark.usefixtures("published")
def test_the_list_says_what_is_shared(shell: Run) -> None:
    """One line for each model, what they share counts once."""
    assert "no weights of models are here" in shell("weights").stderr
    assert shell("download", SMALL, LARGE, "-q").returncode == 0
    listed = shell("weights")
    assert SMALL in listed.stdout
    assert LARGE in listed.stdout
    assert f"{SMALL} and {LARGE} share 2 KiB of text_encoder, which counts once" in listed.stderr
    (row,) = [line for line in shell("weights", "list", SMALL).stdout.splitlines() if SMALL in line]
    assert row.split()[0] == SMALL
    found = json.loads(shell("weights", "--json").stdout)
    assert [model["model"] for model in found["models"]] == [SMALL, LARGE]
    assert found["bytes_total"] == 16 * 1024 + 2 * 2


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("\n", 6)])
def test_a_removal_is_asked_for(
    shell: Run, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    """On a terminal with a question, elsewhere with a flag; what is not here is an error."""
    assert shell("download", SMALL, LARGE, "-q").returncode == 0
    assert shell("weights", "remove").returncode == 2
    refused = shell("weights", "remove", SMALL)
    assert (refused.returncode, "add --yes" in refused.stderr) == (2, True)
    monkeypatch.setattr("tiomagic.cli.commands.weights.is_terminal", lambda _stream: True)
    asked = CliRunner().invoke(app, ["weights", "remove", SMALL], input=answer)
    assert asked.exit_code == code
    assert f"Remove the weights of {SMALL}, 7 KiB (2 KiB shared with {LARGE})?" in asked.stderr
    here = [model["model"] for model in json.loads(shell("weights", "--json").stdout)["models"]]
    assert here == ([LARGE] if code == 0 else [SMALL, LARGE])
    if code == 0:
        assert "5 KiB are free" in asked.stdout
        gone = shell("weights", "remove", SMALL, "--yes")
        assert (gone.returncode, f"no weights of {SMALL} are here" in gone.stderr) == (3, True)


def test_damage_is_found(published: Hub, shell: Run) -> None:
    """A file that is not what the hub lists is removed and said; the next download fetches it."""
    folder = Path(shell("download", SMALL).stdout.strip())
    sound = shell("weights", "verify")
    assert (sound.returncode, "3 files are what the hub lists" in sound.stdout) == (0, True)
    (folder / TRANSFORMER).resolve().write_bytes(b"x" * 5 * 1024)
    found = shell("weights", "verify", SMALL)
    assert found.returncode == 5
    assert f"{SMALL}: {TRANSFORMER} is damaged" in found.stdout
    assert "removed 1 damaged file; the next download fetches it again" in found.stdout
    missing = shell("weights", "verify", SMALL)
    assert f"{SMALL}: 5 KiB are missing; the next download fetches them" in missing.stdout
    published.asked.clear()
    assert shell("download", SMALL, "-q").returncode == 0
    assert published.downloaded_files(find_model(SMALL).repository or "") == {TRANSFORMER}


def test_only_what_a_run_in_fewer_bits_reads_is_downloaded(hub_server: Hub, shell: Run) -> None:
    """The files of the format come in place of the full ones, which are left where they are."""
    model, asked = "wan2.1-t2v-14b", ("--set", "quantization=Q4_K_M")
    card = find_model(model)
    assert card.repository is not None
    assert card.revision is not None
    full = {"model_index.json": b"{}", ENCODER: b"e" * 2048, TRANSFORMER: b"t" * 5000}
    hub_server._commits[card.repository] = {card.revision: full}
    read = set()
    for files in card.quantized_files:
        meant = files.find("Q4_K_M")
        assert meant is not None
        assert meant.hub_file is not None
        _, name = meant.hub_file
        read.add(name)
        there = {name: b"4" * 3000, files.name.format(format="Q8_0"): b"8" * 4096}
        hub_server._commits[files.repository] = {files.revision or "main": there}
    assert len(read) == 2
    shown = shell("download", model, *asked, "--dry-run", "--json")
    assert shown.returncode == 0, shown.stderr
    assert {file["name"] for file in json.loads(shown.stdout)} == {"model_index.json", *read}
    assert shell("download", model, *asked, "-q").returncode == 0
    for files in card.quantized_files:
        assert len(hub_server.downloaded_files(files.repository)) == 1
    assert hub_server.downloaded_files(card.repository) <= {"model_index.json"}
    wrong = shell("download", model, "--set", "quantization=Q9", "--dry-run")
    assert wrong.returncode == 3, wrong.stderr
    assert "quantization must be one of" in wrong.stderr
