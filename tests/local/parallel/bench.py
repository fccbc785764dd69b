"""Models, videos on two devices and what is seen of them, for the tests of several devices."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
import torch

from tiomagic_domain.errors import (
    GenerationCanceledError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_local.runtime.pipeline_cache import Runtime

T2V, I2V, VACE = "wan2.1-t2v-1.3b", "wan2.1-i2v-14b-480p", "wan2.1-vace-1.3b"
TI2V, LTX, LTX_98, LTX_2 = (
    "wan2.2-ti2v-5b",
    "ltx-video",
    "ltx-video-0.9.8-distilled",
    "ltx-2",
)
PUSA, A14B = "pusa-v1", "wan2.2-t2v-a14b"
ANIMATE, SKYREELS, FORCING = (
    "wan2.2-animate-14b",
    "skyreels-v2-i2v-14b-540p",
    "skyreels-v2-df-1.3b-540p",
)
HUNYUAN, HUNYUAN_I2V, FRAMEPACK = (
    "hunyuanvideo-1.5",
    "hunyuanvideo-1.5-image-to-video",
    "framepack-i2v-hy",
)
COG, COG_SMALL, KANDINSKY, EASY = (
    "cogvideox1.5-5b",
    "cogvideox-2b",
    "kandinsky5-lite",
    "easyanimate-v5.1-12b-control",
)
ANIMATE_2, HELIOS, LTX_2_3, H3 = (
    "wan2.2-animate-2-14b",
    "helios-base",
    "ltx-2.3",
    "minimax-h3",
)
WAN_OR_LTX = (T2V, I2V, VACE, TI2V, LTX, LTX_98, PUSA, A14B)
OTHERS = (
    *(ANIMATE, SKYREELS, FORCING, HUNYUAN, HUNYUAN_I2V, FRAMEPACK),
    *(COG, COG_SMALL, KANDINSKY, EASY),
    *(ANIMATE_2, HELIOS, LTX_2, LTX_2_3, H3),
)
MODELS = (*WAN_OR_LTX, *OTHERS)

TEXT, PICTURE, BETWEEN = Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE
POSE = Feature.POSE_GUIDANCE
LONG = {"num_frames": 9}
ODD = {"num_frames": 9, "width": 48, "height": 48}
"""27 tokens in most models: one rank has one more than the other."""
LARGER = {"num_frames": 9, "width": 64, "height": 64}

ATTENTION = re.compile(r"((visual_)?transformer_)?blocks\.0\.(attn1|attn|self_attn|self_attention)")

GONE_S = 120.0
"""Within it a process that was killed, or has seen its parent go, is gone on any machine."""


def pids(runtime: Runtime) -> list[int]:
    """The processes of the other ranks."""
    return [] if runtime._leader is None else runtime._leader.pids


def make(
    runtime: Runtime,
    request: Request,
    progress: Callable[[Progress], None] = ignore_progress,
    cancel: Any = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the frames of a request and how they were made."""
    never = cancel or NeverCanceled()
    with runtime.use(request.card, request.settings, ignore_progress, never) as loaded:
        with loaded.run_in_step(request, never) as both:
            make = getattr(loaded.engine, request.feature.value)
            clip = make(request.inputs, request.settings, progress, both)
        facts = {**loaded.facts, "acceleration": loaded.running.facts()}
    return np.asarray(clip.frames), facts


def first_tensor(said: Any) -> torch.Tensor:
    """Return the first tensor of an output, which may be in lists."""
    return said if isinstance(said, torch.Tensor) else first_tensor(said[0])


@dataclass(frozen=True)
class Observed:
    """A video, and what could be seen of its making."""

    frames: np.ndarray
    facts: dict[str, Any]
    told: list[Progress]
    first: torch.Tensor
    """What the transformer returned at its first call."""
    tokens: int
    """Of the video, that the first attention of its first block got then."""

    @classmethod
    def of(cls, runtime: Runtime, request: Request) -> Observed:
        """Make a video and watch it."""
        told: list[Progress] = []
        outputs: list[torch.Tensor] = []
        tokens: list[int] = []
        never = NeverCanceled()
        with (
            runtime.use(request.card, request.settings, ignore_progress, never) as loaded,
            contextlib.ExitStack() as stack,
        ):
            transformer = loaded.transformers[0]
            layer = next(m for n, m in transformer.named_modules() if ATTENTION.fullmatch(n))

            def see_tokens(_module: Any, given: Any, named: Any) -> None:
                states = named["hidden_states"] if "hidden_states" in named else given[0]
                tokens.append(states.shape[1])

            watched = (
                layer.register_forward_pre_hook(see_tokens, with_kwargs=True),
                transformer.register_forward_hook(
                    lambda _, __, said: outputs.append(first_tensor(said))
                ),
            )
            for hook in watched:
                stack.callback(hook.remove)
            with loaded.run_in_step(request, never) as both:
                make = getattr(loaded.engine, request.feature.value)
                clip = make(request.inputs, request.settings, told.append, both)
        return cls(np.asarray(clip.frames), dict(loaded.facts), told, outputs[0], tokens[0])


def gone(pid: int) -> bool:
    """Say whether a process is gone, after some time at the latest."""
    until = time.monotonic() + GONE_S
    while time.monotonic() < until:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.05)
                continue
        return True
    return False


def at_step(number: int, act: Callable[[], None]) -> Callable[[Progress], None]:
    """Return a progress sink that does something once a number of steps is done."""

    def sink(progress: Progress) -> None:
        if progress.phase is Phase.DENOISING and progress.step == number:
            act()

    return sink


class Stop:
    """A token that can be set."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        self.is_set = True

    def raise_if_canceled(self) -> None:
        if self.is_set:
            raise GenerationCanceledError("stopped")
