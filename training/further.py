"""Train what is shipped further, all stages in a row: `python -m training.further --help`.

For a card that is at hand for minutes: clips are drawn by processes of their own while the
transformer already trains on those that are there, then the decoder learns from what the new
transformer makes. The encoder stays, and so do the latents. After each stage the pipeline's folder
is written, so that an end that comes early loses one stage.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from training import decoder, made, ship, transformer
from training.config import SETUPS, SHIPPED

TRANSFORMER_SHARE = 0.62
"""Of the time; the rest is for the decoder and what it learns from."""
MADE_S = 30
"""Seconds that are kept free for making latents and for writing."""


def main(argv: list[str] | None = None) -> None:
    """Train and write the folder."""
    args, begun = _arguments(argv), time.monotonic()
    # The position of an object is read off the faintest differences of the empty condition.
    torch.backends.cudnn.allow_tf32 = False
    args.work.mkdir(parents=True, exist_ok=True)
    shutil.copytree(args.model / "vae", args.work / "vae", dirs_exist_ok=True)
    command = [sys.executable, "-m", "training.cache", *_drawing(args)]
    drawing = subprocess.Popen(command, start_new_session=True)
    try:
        while drawing.poll() is None and _drawn(args) < args.first:
            time.sleep(0.2)
        left = args.seconds * TRANSFORMER_SHARE - (time.monotonic() - begun)
        transformer.main([*_common(args, left), *_transformer(args)])
    finally:
        if drawing.poll() is None:
            os.killpg(drawing.pid, signal.SIGTERM)  # With the processes that it started.
        drawing.wait()
    _write(args, "vae")
    clips = min(args.pairs, _drawn(args))
    batch = ("--batch", str(min(args.batch, 256)), "--device", args.device)
    made.main(["--work", str(args.work), "--model", str(args.to), "--clips", str(clips), *batch])
    left = args.seconds - MADE_S / 2 - (time.monotonic() - begun)
    decoder.main([*_common(args, left), *_decoder(args)])
    _write(args, "vae_on")
    print(f"{time.monotonic() - begun:.0f} s in all")


def _drawn(args: argparse.Namespace) -> int:
    return args.shard * len(list((args.work / "cache").glob("*.json")))


def _write(args: argparse.Namespace, vae: str) -> None:
    setup = SETUPS[SHIPPED]
    ship.write(ship.build_pipeline(args.work, "model", setup, vae), args.to, setup.lexicon)


def _drawing(args: argparse.Namespace) -> list[str]:
    counts = {
        "--clips": args.clips,
        "--shard": args.shard,
        "--processes": args.processes,
        "--batch": min(args.shard, 64),
    }
    words = [word for name, count in counts.items() for word in (name, str(count))]
    where = ["--work", str(args.work), "--device", args.device, "--seed", str(args.seed)]
    return [*words, *where, "--threads", "1", "--keep-clips"]


def _common(args: argparse.Namespace, seconds: float) -> list[str]:
    return ["--work", str(args.work), "--device", args.device, "--minutes", f"{seconds / 60:.4f}"]


def _transformer(args: argparse.Namespace) -> list[str]:
    rates = ["--lr", "0.015", "--adam-lr", "1e-3", "--average", "0.998"]
    log = ["--log", str(args.logs / "transformer_loss_3.csv")]
    return ["--init-from", str(args.model), "--batch", str(args.batch), *rates, *log]


def _decoder(args: argparse.Namespace) -> list[str]:
    log = ["--log", str(args.logs / "decoder_loss_4.csv")]
    return ["--batch", str(min(args.batch, 32)), "--lr", "0.004", *log]


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for all that is made")
    parser.add_argument("--model", type=Path, required=True, help="pipeline folder to begin with")
    parser.add_argument("--to", type=Path, required=True, help="pipeline folder to write")
    parser.add_argument("--logs", type=Path, default=Path("training/results"))
    parser.add_argument("--seconds", type=float, default=300, help="for everything")
    parser.add_argument("--clips", type=int, default=60_000, help="clips to draw")
    parser.add_argument("--first", type=int, default=2_000, help="clips to wait for at first")
    parser.add_argument("--shard", type=int, default=128)
    parser.add_argument("--pairs", type=int, default=12_000, help="for the decoder")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--processes", type=int, default=14)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--device", default="cuda")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
