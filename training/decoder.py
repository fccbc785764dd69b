"""Optional stage: train the decoder on, with the encoder frozen.

The latents stay what they are, so a transformer that was trained on them keeps working and
only the pictures get sharper. Each clip's latents get noise of a level of its own: the decoder
learns to draw flat shapes even from what the transformer did not get quite right.
`python -m training.decoder --help`
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from torch import nn

from training import autoencoder as ae
from training import vae as stage
from training import whole
from training.config import SETUPS, Setup
from training.log import LossLog
from training.muon import Optimisers
from training.world import render, scenes

DETAIL_WEIGHT = 3.0
"""How much more a pixel of full contrast weighs in the loss than one of a plain area."""


def main() -> None:
    """Train until the time is up and write the folder `vae` anew."""
    args = _arguments()
    setup = SETUPS[args.setup]
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    vae = AutoencoderKLWan.from_pretrained(args.work / "vae")
    vae = ae.channels_last(vae).to(args.device)
    whole.use_fast_norms(vae)
    vae.requires_grad_(False)
    params = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
    for p in params:
        p.requires_grad_(True)
    optimisers = Optimisers(
        [p for p in params if p.ndim > 3 and p[0].numel() > 1],
        [p for p in params if p.ndim <= 3 or p[0].numel() == 1],
        muon_lr=args.lr,
        adam_lr=args.adam_lr,
    )
    _train(vae, optimisers, args)
    vae.requires_grad_(False)
    vae.save_pretrained(args.work / args.name)
    print(f"held-out clips {stage.held_out_psnr(vae, setup, 20, args.device):.2f} dB")


def _draw(rng: np.random.Generator, setup: Setup) -> np.ndarray:
    """A clip of the world; nothing else is ever decoded. Half are the hardest, thin figures."""
    figure, free = rng.uniform(size=2) < (0.5, 0.4)
    scene = scenes.draw_scene(rng, figure=bool(figure), free_colours=bool(free))
    return render.render_clip(scene, setup.size, setup.frames)


def _train(vae: AutoencoderKLWan, optimisers: Optimisers, args: argparse.Namespace) -> None:
    setup = SETUPS[args.setup]
    path = args.work / f"decoder_pool_{setup.size}.npy"
    pool = stage.training_pool(path, setup, args.pool, args.seed, _draw)
    rng = np.random.default_rng(args.seed + 77)
    log = LossLog(args.log, ("step", "minutes", "crop", "l1", "psnr"))
    begun, step, squares, absolutes = time.monotonic(), 0, 0.0, 0.0
    while (part := (time.monotonic() - begun) / (args.minutes * 60)) < 1:
        crop = setup.crop if rng.uniform() < 0.7 else setup.size
        batch = args.batch if crop < setup.size else max(1, args.batch // 6)
        x = ae.to_tensor(stage.draw_batch(pool, rng, batch, crop)).to(args.device)
        x = x.contiguous(memory_format=torch.channels_last_3d)
        rate = stage.rate_at(part, step)
        l1, l2 = _step(vae, optimisers, x, rate, args)
        step, squares, absolutes = step + 1, squares + l2, absolutes + l1
        if step % 50 == 0:
            minutes = (time.monotonic() - begun) / 60
            psnr = 10 * math.log10(4 / (squares / 50))
            log.add(step=step, minutes=minutes, crop=crop, l1=absolutes / 50, psnr=psnr)
            squares = absolutes = 0.0


def _detail(x: torch.Tensor) -> torch.Tensor:
    """Contrast around each pixel, 0..1: high on edges and thin limbs, which are few."""
    surround = (x.flatten(0, 1), (1, 5, 5), 1, (0, 2, 2))
    highest = nn.functional.max_pool3d(*surround)
    lowest = -nn.functional.max_pool3d(-surround[0], *surround[1:])
    return ((highest - lowest) / 2).view_as(x).amax(1, keepdim=True)


def _step(
    vae: AutoencoderKLWan,
    optimisers: Optimisers,
    x: torch.Tensor,
    rate: float,
    args: argparse.Namespace,
) -> tuple[float, float]:
    with torch.autocast(args.device, torch.bfloat16):
        with torch.no_grad():
            z = whole.encode(vae, x)
        level = args.noise * torch.rand(len(z), 1, 1, 1, 1, device=z.device)
        y = whole.decode(vae, z + level * torch.randn_like(z))
    error = y.float() - x
    weight = 1 + DETAIL_WEIGHT * _detail(x)
    l1, l2 = (weight * error.abs()).mean(), (weight * error.square()).mean()
    (l1 + 2 * l2).backward()
    torch.nn.utils.clip_grad_norm_([p for p in vae.parameters() if p.requires_grad], 1.0)
    optimisers.step(rate)
    return l1.item(), error.square().mean().item()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setup", choices=SETUPS, default="small")
    parser.add_argument("--work", type=Path, required=True, help="folder of the trained `vae`")
    parser.add_argument("--name", default="vae", help="folder to write, under the work folder")
    parser.add_argument("--log", type=Path, default=Path("training/results/decoder_loss.csv"))
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--batch", type=int, default=6, help="crops a step; whole clips: a sixth")
    parser.add_argument("--pool", type=int, default=3000)
    parser.add_argument("--noise", type=float, default=0.25, help="highest noise on the latents")
    parser.add_argument("--lr", type=float, default=0.008, help="rate of Muon")
    parser.add_argument("--adam-lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
