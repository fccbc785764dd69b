"""Live bytes on the meta device, in cases that are easy to count by hand."""

from __future__ import annotations

import torch

from tiomagic_local.footprint.counting import AsOnAGpu, LiveBytes

META = torch.device("meta")
KIB = 2**10


def floats(count: int) -> torch.Tensor:
    """Return a tensor of four bytes a value."""
    return torch.empty(count, device=META, dtype=torch.float32)


def test_what_lives_at_once_counts() -> None:
    """Two tensors of a KiB and their sum, of which one is gone before the next is made."""
    with LiveBytes() as live:
        first, second = floats(256), floats(256)
        total = first + second
        assert live.peak == 3 * KIB
        del first, second
        total = total * 2
        assert live.peak == 3 * KIB
        _kept = floats(1024)
    assert live.peak == 5 * KIB
    del total


def test_views_and_what_is_done_in_place_take_nothing() -> None:
    """They share a storage with what they were made from."""
    with LiveBytes() as live:
        tensor = floats(256)
        tensor.view(16, 16).t()[1:].mul_(2)
        tensor += 1
    assert live.peak == KIB


def test_a_view_keeps_the_whole_storage() -> None:
    """As on a GPU: one row of it that is still there holds all."""
    with LiveBytes() as live:
        row = floats(1024).view(4, 256)[0]
        _other = floats(1024)
    assert live.peak == 8 * KIB
    del row


def test_the_allocator_rounds_up() -> None:
    """A single value takes 512 bytes."""
    with LiveBytes() as live:
        _one, _two = floats(1), floats(129)
    assert live.peak == 512 + 1024


def test_weights_are_held_and_not_counted() -> None:
    """Neither they nor views of them are what a phase takes."""
    with META:
        layer = torch.nn.Linear(256, 256, bias=False)
    with torch.no_grad(), LiveBytes(layer) as live:
        layer(torch.empty(1, 256, device=META))
    # The input and the output.
    assert live.peak == 2 * KIB


def test_attention_keeps_no_matrix_of_scores() -> None:
    """Its output is all that it makes; a mask of bools becomes one of numbers on the way."""
    shape = (1, 2, 512, 64)
    size = 2 * 512 * 64 * 2
    with AsOnAGpu(), LiveBytes() as live:
        query = torch.empty(shape, device=META, dtype=torch.bfloat16)
        torch.nn.functional.scaled_dot_product_attention(query, query, query)
        assert live.peak == 2 * size
        mask = torch.empty(1, 1, 512, 512, device=META, dtype=torch.bool)
        torch.nn.functional.scaled_dot_product_attention(query, query, query, attn_mask=mask)
    assert live.peak == 2 * size + 512 * 512 * (1 + 2)


def test_a_convolution_copies_what_lies_otherwise() -> None:
    """Its input and its output, unless the weights are laid channels last."""
    with META:
        layer = torch.nn.Conv3d(4, 4, 1, bias=False)
    peaks = []
    for channels_last in (True, False):
        with torch.no_grad(), LiveBytes(layer, channels_last=channels_last) as live:
            layer(torch.empty(1, 4, 4, 4, 4, device=META))
        peaks.append(live.peak)
    assert peaks == [2 * KIB, 4 * KIB]


def test_masks_let_all_words_through() -> None:
    """Where a pipeline sorts words by a mask, all are kept and none is left over."""
    words = torch.empty(7, 3, device=META)
    mask = torch.empty(7, device=META, dtype=torch.bool)
    with AsOnAGpu():
        assert words[mask].shape == (7, 3)
        assert words[~mask].shape == (0, 3)
        length = mask.sum()
        assert words[None][:, :length].shape == (1, 7, 3)
