"""Optional stage: train the decoder on, with the encoder frozen.

The latents stay what they are, so a transformer that was trained on them keeps working and
only the pictures get sharper. `python -m training.decoder --help`
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan

from training import autoencoder as ae
from training import vae as stage
from training import whole
from training.config import SETUPS
from training.log import LossLog
from training.muon import Optimisers


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


def _train(vae: AutoencoderKLWan, optimisers: Optimisers, args: argparse.Namespace) -> None:
    setup = SETUPS[args.setup]
    pool = stage.training_pool(setup, args.pool, args.seed, args.work)
    rng = np.random.default_rng(args.seed + 77)
    log = LossLog(args.log, ("step", "minutes", "crop", "l1", "psnr"))
    begun, step, squares, absolutes = time.monotonic(), 0, 0.0, 0.0
    while (part := (time.monotonic() - begun) / (args.minutes * 60)) < 1:
        crop = setup.crop if rng.uniform() < 0.7 else setup.size
        batch = args.batch if crop < setup.size else max(1, args.batch // 6)
        x = ae.to_tensor(stage.draw_batch(pool, rng, batch, crop)).to(args.device)
        x = x.contiguous(memory_format=torch.channels_last_3d)
        l1, l2 = _step(vae, optimisers, x, stage.rate_at(part, step), args.device)
        step, squares, absolutes = step + 1, squares + l2, absolutes + l1
        if step % 50 == 0:
            minutes = (time.monotonic() - begun) / 60
            psnr = 10 * math.log10(4 / (squares / 50))
            log.add(step=step, minutes=minutes, crop=crop, l1=absolutes / 50, psnr=psnr)
            squares = absolutes = 0.0


def _step(
    vae: AutoencoderKLWan, optimisers: Optimisers, x: torch.Tensor, rate: float, device: str
) -> tuple[float, float]:
    with torch.autocast(device, torch.bfloat16):
        with torch.no_grad():
            z = whole.encode(vae, x)
        y = whole.decode(vae, z + stage.LATENT_NOISE * torch.randn_like(z))
    error = y.float() - x
    l1, l2 = error.abs().mean(), error.square().mean()
    (l1 + 2 * l2).backward()
    torch.nn.utils.clip_grad_norm_([p for p in vae.parameters() if p.requires_grad], 1.0)
    optimisers.step(rate)
    return l1.item(), l2.item()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setup", choices=SETUPS, default="small")
    parser.add_argument("--work", type=Path, required=True, help="folder of the trained `vae`")
    parser.add_argument("--name", default="vae", help="folder to write, under the work folder")
    parser.add_argument("--log", type=Path, default=Path("training/results/decoder_loss.csv"))
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--batch", type=int, default=6, help="crops a step; whole clips: a sixth")
    parser.add_argument("--pool", type=int, default=3000)
    parser.add_argument("--lr", type=float, default=0.008, help="rate of Muon")
    parser.add_argument("--adam-lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
