"""Stage 1: train the video autoencoder. `python -m training.vae --help`."""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan

from training import autoencoder as ae
from training import whole
from training.config import SETUPS, SHIPPED, Setup
from training.log import LossLog
from training.muon import Optimisers
from training.precision import bf16_pays

LATENT_NOISE = 0.05
"""Noise on the latents while training, so that small errors of the transformer decode well."""
SCALE_PENALTY = 1e-3
"""Weight of the mean square of the latents; it keeps their scale near 1 without a KL term."""
HELD_OUT_SEED = 10_000_019


def main() -> None:
    """Train until the time is up, then measure and write the autoencoder."""
    args = _arguments()
    setup = SETUPS[args.setup]
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    vae = ae.channels_last(ae.build_vae(setup)).to(args.device)
    whole.use_fast_norms(vae)
    optimiser = Optimisers(
        [p for p in vae.parameters() if p.ndim > 3 and p[0].numel() > 1],
        [p for p in vae.parameters() if p.ndim <= 3 or p[0].numel() == 1],
        muon_lr=args.lr,
        adam_lr=args.adam_lr,
    )
    state = {"step": 0, "elapsed": 0.0}
    checkpoint = args.work / "vae.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=args.device, weights_only=True)
        vae.load_state_dict(saved["vae"])
        optimiser.load_state_dict(saved["optimiser"])
        state = saved["state"]
    _train(vae, optimiser, state, setup, args, checkpoint)
    _finish(vae, setup, args)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setup", choices=SETUPS, default=SHIPPED)
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--log", type=Path, default=Path("training/results/vae_loss.csv"))
    parser.add_argument(
        "--minutes", type=float, default=40, help="training time; sets the schedule"
    )
    parser.add_argument("--batch", type=int, default=6, help="crops a step; whole clips: a sixth")
    parser.add_argument("--pool", type=int, default=3000, help="clips drawn beforehand")
    parser.add_argument("--lr", type=float, default=0.02, help="rate of Muon")
    parser.add_argument("--adam-lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def rate_at(part: float, step: int) -> float:
    """Share of the learning rate: short warm-up, cosine down to 2 %."""
    return min(1.0, (step + 1) / 30) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * part)))


def training_pool(path: Path, setup: Setup, count: int, seed: int) -> np.ndarray:
    """Clips for training, drawn once and mapped from disk afterwards."""
    shape = (count, setup.frames, setup.size, setup.size, 3)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        pool = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
        rng = np.random.default_rng(seed)
        for index in range(count):
            pool[index] = ae.draw_training_clip(rng, setup)
        pool.flush()
        partial.rename(path)
    return np.load(path, mmap_mode="r")


def draw_batch(pool: np.ndarray, rng: np.random.Generator, batch: int, crop: int) -> np.ndarray:
    """Whole clips, or crops of nine frames: the shortest that use every kind of cache."""
    size, length = pool.shape[2], pool.shape[1] if crop == pool.shape[2] else 9
    clips = []
    for index in rng.integers(0, len(pool), size=max(1, batch)):
        # Twice the centre as often as the corners: that is where the objects are.
        y, x = (int(rng.integers(0, (size - crop) // 2 + 1)) for _ in range(2))
        y, x = (v + int(rng.integers(0, (size - crop) // 2 + 1)) for v in (y, x))
        begin = int(rng.integers(0, pool.shape[1] - length + 1))
        clips.append(pool[index, begin : begin + length, y : y + crop, x : x + crop])
    return np.stack(clips)


def _train(
    vae: AutoencoderKLWan,
    optimiser: Optimisers,
    state: dict,
    setup: Setup,
    args: argparse.Namespace,
    checkpoint: Path,
) -> None:
    log = LossLog(
        args.log, ("step", "minutes", "crop", "l1", "psnr", "latent_std", "held_out_psnr")
    )
    path = args.work / f"vae_pool_{setup.size}.npy"
    pool = training_pool(path, setup, args.pool, args.seed)
    rng = np.random.default_rng(args.seed + 1 + state["step"])
    budget, mean_l1, mean_l2 = args.minutes * 60, 0.0, 0.0
    while state["elapsed"] < budget:
        begun, part = time.monotonic(), state["elapsed"] / budget
        # Crops first, because they are cheap; whole frames for the last third.
        crop = setup.crop if part < 0.67 else setup.size
        batch = args.batch if crop < setup.size else args.batch // 6
        x = ae.to_tensor(draw_batch(pool, rng, batch, crop)).to(args.device)
        x = x.contiguous(memory_format=torch.channels_last_3d)
        l1, l2, z = _step(vae, optimiser, x, args.device, rate_at(part, state["step"]))
        state["step"] += 1
        state["elapsed"] += time.monotonic() - begun
        mean_l1, mean_l2 = mean_l1 + l1, mean_l2 + l2
        if state["step"] % 50 == 0:
            row = {"step": state["step"], "minutes": state["elapsed"] / 60, "crop": crop}
            if state["step"] % 250 == 0:
                row["held_out_psnr"] = held_out_psnr(vae, setup, 6, args.device)
                _save(vae, optimiser, state, checkpoint)
            log.add(**row, l1=mean_l1 / 50, psnr=10 * math.log10(4 / (mean_l2 / 50)), latent_std=z)
            mean_l1 = mean_l2 = 0.0
    _save(vae, optimiser, state, checkpoint)


def _step(
    vae: AutoencoderKLWan, optimiser: Optimisers, x: torch.Tensor, device: str, rate: float
) -> tuple[float, float, float]:
    with torch.autocast(device, torch.bfloat16, enabled=bf16_pays(device)):
        z = whole.encode(vae, x)
        y = whole.decode(vae, z + LATENT_NOISE * torch.randn_like(z))
    y, z = y.float(), z.float()
    l1, l2 = (y - x).abs().mean(), (y - x).square().mean()
    loss = l1 + 2 * l2 + SCALE_PENALTY * z.square().mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
    optimiser.step(rate)
    return l1.item(), l2.item(), float(z.detach().std())


def _save(vae: AutoencoderKLWan, optimiser: Optimisers, state: dict, path: Path) -> None:
    partial = path.with_suffix(".part")
    torch.save(
        {"vae": vae.state_dict(), "optimiser": optimiser.state_dict(), "state": state}, partial
    )
    partial.rename(path)


@torch.no_grad()
def held_out_psnr(
    vae: AutoencoderKLWan, setup: Setup, count: int, device: str, *, mixed: bool = False
) -> float:
    """Mean PSNR of whole clips that were never drawn for training.

    `mixed` takes the conditioning videos too; without it only clips of the world.
    """
    rng = np.random.default_rng(HELD_OUT_SEED)
    return float(np.mean([_clip_psnr(vae, setup, rng, device, mixed) for _ in range(count)]))


def _clip_psnr(
    vae: AutoencoderKLWan, setup: Setup, rng: np.random.Generator, device: str, mixed: bool
) -> float:
    if mixed:
        clip = ae.draw_training_clip(rng, setup)
    else:
        scene = ae.scenes.draw_scene(
            rng, figure=rng.uniform() < 0.35, held_out=True, lexicon=setup.lexicon
        )
        clip = ae.render.render_clip(scene, setup.size, setup.frames)
    x = ae.to_tensor(clip[None]).to(device)
    y = vae.decode(vae.encode(x).latent_dist.mode()).sample
    return ae.psnr(ae.to_clips(y)[0], clip)


@torch.no_grad()
def latent_statistics(
    vae: AutoencoderKLWan, setup: Setup, count: int, device: str
) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each latent channel over clips of the world."""
    rng, latents = np.random.default_rng(HELD_OUT_SEED + 1), []
    for _ in range(count):
        scene = ae.scenes.draw_scene(rng, figure=rng.uniform() < 0.3, lexicon=setup.lexicon)
        clip = ae.render.render_clip(scene, setup.size, setup.frames)
        latents.append(vae.encode(ae.to_tensor(clip[None]).to(device)).latent_dist.mode().cpu())
    z = torch.cat(latents).transpose(0, 1).flatten(1)
    return z.mean(1).tolist(), z.std(1).tolist()


def _finish(vae: AutoencoderKLWan, setup: Setup, args: argparse.Namespace) -> None:
    """Put the latents' statistics into the config and write the folder `vae`."""
    vae.eval()
    mean, std = latent_statistics(vae, setup, 60, args.device)
    vae.register_to_config(latents_mean=mean, latents_std=std)
    vae.save_pretrained(args.work / "vae")
    print("latents mean", mean, "std", std)
    plain = held_out_psnr(vae, setup, 30, args.device)
    mixed = held_out_psnr(vae, setup, 30, args.device, mixed=True)
    print(f"held-out clips {plain:.2f} dB, with conditioning videos {mixed:.2f} dB")


if __name__ == "__main__":
    main()
