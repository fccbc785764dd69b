"""Stage 4: put the averaged weights into a pipeline folder. `python -m training.ship --help`.

The autoencoder stays fp32 on disk (the transformer reads positions off its faintest
differences, and it is small); text encoder and transformer are stored as fp16.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanVACEPipeline

from training import text
from training.config import SETUPS, SHIPPED, Setup
from training.transformer import Model, load_frozen
from training.world import prompts
from training.world.lexicon import FIRST, Lexicon


def build_pipeline(work: Path, name: str, setup: Setup, vae: str = "vae") -> WanVACEPipeline:
    """The pipeline of a checkpoint's averaged weights and of a folder's autoencoder, fp32."""
    tokenizer = text.build_tokenizer(setup)
    empty = load_frozen(work, setup, "cpu").control("text_to_video")
    model = Model(setup, len(tokenizer), empty)
    saved = torch.load(work / f"{name}.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(saved["average"])
    return WanVACEPipeline(
        tokenizer=tokenizer,
        text_encoder=model.text_encoder.eval(),
        vae=AutoencoderKLWan.from_pretrained(work / vae).eval(),
        transformer=model.transformer.eval(),
        scheduler=UniPCMultistepScheduler(
            num_train_timesteps=1000,
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            flow_shift=setup.flow_shift,
        ),
    )


def write(pipeline: WanVACEPipeline, folder: Path, lexicon: Lexicon = FIRST) -> None:
    """Write the folder anew, with the words it knows beside it."""
    if folder.exists():
        shutil.rmtree(folder)
    pipeline.text_encoder.half()
    pipeline.transformer.half()
    pipeline.save_pretrained(folder)
    _forget_paths(folder)
    words = {"version": 1, "words": prompts.vocabulary(lexicon)}
    (folder / "vocabulary.json").write_text(json.dumps(words, indent=0) + "\n")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 2**20:.1f} MiB")


def _forget_paths(folder: Path) -> None:
    """Take out of the configurations where the parts were loaded from."""
    for path in folder.rglob("*.json"):
        content = json.loads(path.read_text())
        if isinstance(content, dict) and content.pop("_name_or_path", None) is not None:
            path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def main() -> None:
    """Read a checkpoint, write a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setup", choices=SETUPS, default=SHIPPED)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--name", default="model")
    parser.add_argument("--vae", default="vae", help="folder in WORK, `vae_on` after `decoder`")
    parser.add_argument("--to", type=Path, required=True)
    args = parser.parse_args()
    setup = SETUPS[args.setup]
    write(build_pipeline(args.work, args.name, setup, args.vae), args.to, setup.lexicon)


if __name__ == "__main__":
    main()
