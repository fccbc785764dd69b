"""Every stage from the shipped model to one with twice the pixels and more words, in a row.

Each stage is a command of its own that goes on where it stopped; one that is done is left out when
this is started again. SIGTERM ends the running stage with a checkpoint. The encoder is trained on
at first, near its old latents, so that clips are drawn and encoded twice.
`python -m training.growing --help`
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from training.stopping import Stopping

SHARES = {"both": 0.2, "words": 0.15, "transformer": 0.3, "decoder": 0.15}
"""Of the time, for the stages that take as long as they are given; the rest is for drawing,
making latents and writing."""


def main(argv: list[str] | None = None) -> int:
    """Run what is left to do; the exit status is not 0 where something is left."""
    args = _arguments(argv)
    (args.work / "done").mkdir(parents=True, exist_ok=True)
    with Stopping() as stopping:
        for name, command in _stages(args):
            done = args.work / "done" / name
            if done.exists():
                continue
            if stopping or not _run(name, command, stopping):
                return 1
            if name == "both":
                _take_over(args.work)
            done.touch()
    return 0


def _run(name: str, command: list[str], stopping: Stopping) -> bool:
    begun = time.monotonic()
    running = subprocess.Popen([sys.executable, "-m", *command])
    while running.poll() is None:
        if stopping:
            running.terminate()
        try:
            running.wait(timeout=1)
        except subprocess.TimeoutExpired:
            continue
    print(f"{name}: {time.monotonic() - begun:.0f} s, exit status {running.returncode}", flush=True)
    return running.returncode == 0 and not stopping


def _take_over(work: Path) -> None:
    """Make the trained autoencoder that of all later stages."""
    shutil.copytree(work / "first" / "vae_both", work / "vae", dirs_exist_ok=True)


def _stages(args: argparse.Namespace) -> list[tuple[str, list[str]]]:
    """Names of the stages, each with its module and arguments."""
    first, grown = args.work / "first", ["--setup", "grown"]
    then = [*grown, "--work", str(args.work)]
    begin = [*grown, "--work", str(first)]
    device = ["--device", args.device]
    draw = [*device, *f"--threads 1 --processes {args.processes} --shard 50".split()]
    draw_and_keep = [*draw, "--keep-clips"]
    many = str(16 * args.batch)

    def learn(name: str, batch: str, rates: str) -> list[str]:
        schedule = ["--minutes", f"{args.minutes * SHARES[name]:.3f}", "--batch", batch]
        log = ["--log", str(args.work / f"{name}_loss.csv")]
        return [*device, "--threads", str(args.threads), *schedule, *log, *rates.split()]

    slow = f"--fall 1 --lr {args.pixel_rate} --adam-lr {args.pixel_rate / 4:.6f}"
    slow += " --compile" if args.device == "cpu" else ""
    pixels = learn("both", str(args.batch), f"{slow} --near 0.05 --crop-share 0.7 --crops 4")
    words = learn("words", many, "--lr 0.012 --adam-lr 0.01 --words-only --least-noise 0.8")
    tasks = learn("transformer", many, "--lr 0.012 --adam-lr 0.003 --average 0.998")
    more_pixels = learn("decoder", str(args.batch), slow)
    ship = ["training.ship", *then, "--to", str(args.to)]
    made = ["--model", str(args.to), "--clips", str(args.clips // 4), "--batch", many]
    again = ["--clips", str(args.clips), "--seed", "2"]
    alone = ["--clips", str(3 * args.clips), "--seed", "3", "--words-only"]
    worded = str(first / "worded")
    as_words = ["--name", "words", "--init-from", str(first / "grown")]
    return [
        ("grow", ["training.grow", *begin, "--model", str(args.model)]),
        ("pool", ["training.cache", *begin, *draw_and_keep, "--clips", str(args.pool)]),
        ("both", ["training.decoder", *begin, "--encoder", "--name", "vae_both", *pixels]),
        ("cache", ["training.cache", *then, *draw_and_keep, *again]),
        ("cache_words", ["training.cache", *then, *draw, *alone]),
        ("words", ["training.transformer", *then, *as_words, *words]),
        ("ship_words", ["training.ship", *then, "--name", "words", "--to", worded]),
        ("transformer", ["training.transformer", *then, "--init-from", worded, *tasks]),
        ("ship", ship),
        ("made", ["training.made", *then, *device, *made]),
        ("decoder", ["training.decoder", *then, *more_pixels]),
        ("ship_on", [*ship, "--vae", "vae_on"]),
    ]


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for all that is made")
    parser.add_argument("--model", type=Path, required=True, help="pipeline folder to grow")
    parser.add_argument("--to", type=Path, required=True, help="pipeline folder to write")
    parser.add_argument("--minutes", type=float, default=12, help="for everything, roughly")
    parser.add_argument("--pool", type=int, default=3000, help="clips for the autoencoder")
    parser.add_argument("--clips", type=int, default=12_000, help="clips for the transformer")
    parser.add_argument("--batch", type=int, default=16, help="clips a step of the autoencoder")
    parser.add_argument(
        "--pixel-rate",
        type=float,
        default=0.004,
        help="rate of Muon for the autoencoder at the start; it falls all the time",
    )
    parser.add_argument("--processes", type=int, default=14, help="that draw clips")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cuda")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
