"""Twice the pixels and more words from trained weights: all of it begins as what it was.

autoencoder   `grow_vae`: the encoder sees the picture averaged over 2 x 2 pixels, and the decoder
              shows each old pixel as 2 x 2 equal ones; either may have more channels to learn with
transformer   `grow_transformer`: masks of 8 x 8 in place of 4 x 4 pixels a latent
words         `grow_words`: rows for words that follow the old ones

`python -m training.grow --help` writes a whole pipeline folder, or a wider autoencoder alone.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, WanVACEPipeline, WanVACETransformer3DModel
from diffusers.models.autoencoders.autoencoder_kl_wan import WanAttentionBlock, WanRMS_norm
from torch import nn
from transformers import UMT5EncoderModel

from training import ship, text
from training.config import SETUPS, Setup
from training.world.lexicon import FIRST, Lexicon

NEW_COLUMNS = 0.5
"""Size of the weights that read new channels, as a share of those that read old ones."""


def grow_vae(old: AutoencoderKLWan, setup: Setup) -> AutoencoderKLWan:
    """The autoencoder of `setup` that begins as `old` between a halving and a doubling."""
    config = {k: v for k, v in old.config.items() if not k.startswith("_")} | setup.vae
    new = AutoencoderKLWan(**config).to(next(old.parameters()).device)
    pixels = new.config.in_channels // old.config.in_channels
    for name in ("quant_conv", "post_quant_conv"):
        getattr(new, name).load_state_dict(getattr(old, name).state_dict())
    _widen(old.encoder, new.encoder, {"conv_in": lambda w, b: (_spread_inputs(w, pixels), b)})
    # The last one makes the pixels of a patch, ordered as `_spread_inputs` has them.
    several = {
        "conv_out": lambda w, b: (w.repeat_interleave(pixels, 0), b.repeat_interleave(pixels))
    }
    _widen(old.decoder, new.decoder, several)
    return new.eval()


def _spread_inputs(weight: torch.Tensor, pixels: int) -> torch.Tensor:
    """Read the mean of a patch: channels are ordered (colour, pixel)."""
    return weight.repeat_interleave(pixels, dim=1) / pixels


Turn = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""Weight and bias as the grown convolution needs them, before it gets more channels."""


@torch.no_grad()
def _widen(old: nn.Module, new: nn.Module, turns: dict[str, Turn]) -> None:
    """Give an encoder or a decoder more channels, all zero at first.

    The shortcuts around a level keep channels in their places as long as all grow alike.
    """
    modules = dict(old.named_modules())
    for name, module in new.named_modules():
        before = modules[name]
        if isinstance(module, WanRMS_norm):
            # The norm divides by the mean square, and half of the channels are now zero.
            share = (before.gamma.shape[0] / module.gamma.shape[0]) ** 0.5
            module.gamma.fill_(float(before.gamma.abs().mean()) * share)
            module.gamma[: before.gamma.shape[0]] = before.gamma * share
        elif isinstance(module, nn.Conv2d | nn.Conv3d):
            twice = name.endswith("upsampler.time_conv")
            groups = 3 if name.endswith("to_qkv") else 2 if twice else 1
            values = before.weight, before.bias
            _widen_convolution(*turns.get(name, lambda *same: same)(*values), module, groups)
    for name, module in new.named_modules():
        if isinstance(module, WanAttentionBlock):
            # Attention divides by the root of the width.
            width, before = module.norm.gamma.shape[0], modules[name].norm.gamma.shape[0]
            for part in (module.to_qkv.weight, module.to_qkv.bias):
                part[:width] *= (width / before) ** 0.5


def _widen_convolution(
    weight: torch.Tensor, bias: torch.Tensor, new: nn.Module, groups: int
) -> None:
    """Old outputs as they were, new ones zero; what reads new inputs starts small, not at zero."""
    rows, columns = weight.shape[0] // groups, weight.shape[1]
    new.bias.zero_()
    new.weight.normal_(std=NEW_COLUMNS * float(weight.std()))
    into = new.weight.view(groups, -1, *new.weight.shape[1:])
    into[:, rows:] = 0
    into[:, :rows, :columns] = weight.view(groups, rows, *weight.shape[1:])
    new.bias.view(groups, -1)[:, :rows] = bias.view(groups, rows)


@torch.no_grad()
def grow_transformer(old: WanVACETransformer3DModel, setup: Setup) -> WanVACETransformer3DModel:
    """The transformer of `setup` that gives the same latents wherever a frame's mask is one value.

    The pipeline folds the mask of 8 x 8 pixels of a latent into 64 channels ordered (row, column),
    where it folded 4 x 4 into 16. Each old weight is spread over its four successors.
    """
    side = setup.vae["scale_factor_spatial"]
    controls = 2 * setup.z_dim
    config = {k: v for k, v in old.config.items() if not k.startswith("_")}
    before = round((old.config.vace_in_channels - controls) ** 0.5)
    new = WanVACETransformer3DModel(**config | {"vace_in_channels": controls + side**2})
    states = old.state_dict()
    weight = states["vace_patch_embedding.weight"]
    fold = weight[:, controls:].unflatten(1, (before, before))
    times = side // before
    fold = fold.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2) / times**2
    states["vace_patch_embedding.weight"] = torch.cat(
        [weight[:, :controls], fold.flatten(1, 2)], dim=1
    )
    new.load_state_dict(states)
    return new.eval()


@torch.no_grad()
def grow_words(old: UMT5EncoderModel, lexicon: Lexicon) -> UMT5EncoderModel:
    """The encoder of a lexicon's tokens, whose first ones are those of `old`.

    A new row is a random one of the old rows' mean and spread, so that it already is as far from
    all others as they are from each other. A colour that was one of objects or one of backgrounds
    begins in its other role as far from the first as these two kinds of colours are.
    """
    tokens = text.list_tokens(lexicon)
    config = type(old.config).from_dict(old.config.to_dict() | {"vocab_size": len(tokens)})
    new, states = UMT5EncoderModel(config), old.state_dict()
    tables = ("shared.weight", "embed_tokens.weight")
    for name in [name for name in states if name.endswith(tables)]:
        rows = states[name]
        shape = (len(tokens) - len(rows), rows.shape[1])
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        states[name] = torch.cat([rows, rows.mean(0) + noise.to(rows) * rows.std(0)])
        _give_roles(states[name], {token: index for index, token in enumerate(tokens)}, lexicon)
    new.load_state_dict(states)
    return new.eval()


def _give_roles(rows: torch.Tensor, numbers: dict[str, int], lexicon: Lexicon) -> None:
    """Start both tokens of each word that now is a colour of objects and of backgrounds."""
    of_objects, of_backgrounds = (
        [numbers[word] for words in table.values() for word in words]
        for table in (FIRST.colour_words, FIRST.background_words)
    )
    way = rows[of_backgrounds].mean(0) - rows[of_objects].mean(0)
    for word in text.words_of_two_roles(lexicon):
        one, other = numbers[word], numbers[text.of_background(word)]
        if one in of_backgrounds:
            rows[other] = rows[one]
            rows[one] -= way
        else:
            rows[other] = rows[one] + way


def main(argv: list[str] | None = None) -> None:
    """Read a pipeline folder of the small setup, write that of the grown one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--setup", choices=SETUPS, default="grown")
    parser.add_argument("--work", type=Path, required=True, help="folder for `vae` and `grown`")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", type=Path, help="pipeline folder to grow")
    what.add_argument("--vae", type=Path, help="autoencoder that only gets wider: `vae` in WORK")
    parser.add_argument("--decoder-width", type=int, help="channels of the decoder's last level")
    args = parser.parse_args(argv)
    setup = SETUPS[args.setup]
    if args.decoder_width:
        setup = replace(setup, vae=setup.vae | {"decoder_base_dim": args.decoder_width})
    if args.vae:
        wider = grow_vae(AutoencoderKLWan.from_pretrained(args.vae), setup)
        wider.save_pretrained(args.work / "vae")
        return
    old = WanVACEPipeline.from_pretrained(args.model, dtype=torch.float32)
    tokenizer = text.build_tokenizer(setup)
    pipeline = WanVACEPipeline(
        tokenizer=tokenizer,
        text_encoder=grow_words(old.text_encoder, setup.lexicon),
        vae=grow_vae(old.vae, setup),
        transformer=grow_transformer(old.transformer, setup),
        scheduler=old.scheduler,
    )
    ship.write(pipeline, args.work / "grown", setup.lexicon)
    pipeline.vae.save_pretrained(args.work / "vae")


if __name__ == "__main__":
    main()
