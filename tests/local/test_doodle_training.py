"""Training goes on from what is shipped."""

import csv

import pytest

pytest.importorskip("torch")

import torch
from training import cache, transformer

from tiomagic_local.weights import PACKAGED

FOLDER = PACKAGED / "doodle"


@pytest.fixture
def one_thread():
    """Training sets the number of threads of the whole process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


# Under autocast torch says that a norm of fp32 weights is not its fastest one.
@pytest.mark.filterwarnings("ignore:Mismatch dtype:UserWarning")
@pytest.mark.usefixtures("one_thread")
def test_training_goes_on_from_the_shipped_weights(tmp_path):
    """From `--init-from` the first loss is that of a trained model: noise alone would give 2."""
    (tmp_path / "vae").symlink_to(FOLDER / "vae", target_is_directory=True)
    work = ("--work", str(tmp_path), "--threads", "1")
    cache.main([*work, "--clips", "24", "--shard", "24"])
    log = tmp_path / "loss.csv"
    begin = ("--init-from", str(FOLDER), "--log", str(log))
    transformer.main([*work, *begin, "--batch", "6", "--every", "1", "--minutes", "0.001"])
    with log.open() as lines:
        first = next(csv.DictReader(lines))
    assert first["step"] == "1"
    assert float(first["loss"]) < 1
    saved = torch.load(tmp_path / "model.pt", weights_only=True)
    assert saved["state"]["step"] == 1
