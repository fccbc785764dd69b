"""The colours of latents: a linear map from the channels of a VAE to red, green and blue.

Such a map is coarse, a colour for each latent pixel, and costs next to nothing; decoding costs as
much as several steps. It belongs to a VAE, so that models that share one share its colours::

    doodle                comes with the weights, in preview.json beside them
    any other model       fitted on this machine by ``python -m tiomagic_local.fit_preview MODEL``,
                          and kept beside the hub's cache
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch

from tiomagic_domain.files.replacing import replacing
from tiomagic_local.torch_env.machine import hub_cache

FILE: Final = "preview.json"
"""The colours in a folder of weights."""
FOLDER: Final = "tiomagic-previews"
"""The fitted colours of all models, in a folder beside the hub's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentColours:
    """The colours of one VAE's latents."""

    factors: torch.Tensor
    """float32, (3, C): what each channel adds to red, green and blue."""
    bias: torch.Tensor
    """float32, (3,): the colour of latents that are 0; 0.0-1.0."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """How they were fitted, and how well: ``psnr_db`` of clips that were not fitted to."""

    @property
    def channels(self) -> int:
        """How many channels the latents have."""
        return int(self.factors.shape[1])

    def project(self, latents: torch.Tensor) -> torch.Tensor:
        """Return the colours without the bias, so that the map stays linear.

        Args:
            latents: (C, T, h, w), on any device.

        Returns:
            float32, (T, 3, h, w), on the same device.
        """
        weights = self.factors.to(latents.device)
        return torch.einsum("kc,cthw->tkhw", weights, latents.float())

    def paint(self, projected: torch.Tensor) -> torch.Tensor:
        """Return projected colours with the bias: (T, 3, h, w), 0.0-1.0, on the CPU."""
        return (projected.cpu() + self.bias[:, None, None]).clamp(0, 1)

    def save(self, path: Path) -> None:
        """Write them to a file, whole or not at all.

        Raises:
            OSError: when it cannot be written.
        """
        plain = {
            "factors": [[round(one, 5) for one in row] for row in self.factors.tolist()],
            "bias": [round(one, 5) for one in self.bias.tolist()],
            "facts": dict(self.facts),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, durable=False) as part:
            part.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> LatentColours | None:
        """Return those of a file; None when it is not there, or no such file."""
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            factors = torch.tensor(plain["factors"], dtype=torch.float32)
            bias = torch.tensor(plain["bias"], dtype=torch.float32)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if factors.ndim != 2 or len(factors) != 3 or bias.shape != (3,):
            return None
        if not (bool(factors.isfinite().all()) and bool(bias.isfinite().all())):
            return None
        facts = plain.get("facts")
        return cls(factors=factors, bias=bias, facts=facts if isinstance(facts, dict) else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentSpace:
    """How a family's pipelines scale what their VAE makes of pixels."""

    vae: str
    """The class of the VAE."""
    mean: tuple[float, ...] = ()
    """Of each channel; empty where all are scaled alike."""
    deviation: tuple[float, ...] = ()
    """Of each channel; as long as the mean."""
    scale: float = 1.0
    shift: float = 0.0

    @classmethod
    def of(cls, vae: Any) -> LatentSpace:
        """Return that of a VAE. Its numbers are in its configuration, or among its weights."""
        config = vae.config
        mean, deviation = (_numbers(vae, name) for name in ("latents_mean", "latents_std"))
        return cls(
            vae=type(vae).__name__,
            mean=mean if deviation else (),
            deviation=deviation if mean else (),
            scale=float(config.get("scaling_factor") or 1.0),
            shift=float(config.get("shift_factor") or 0.0),
        )

    def normalise(self, encoded: torch.Tensor) -> torch.Tensor:
        """Return what a VAE has encoded, (C, T, h, w), as the latents that a transformer sees."""
        if self.mean:
            shape = (-1, 1, 1, 1)
            mean = torch.tensor(self.mean).view(shape)
            encoded = (encoded - mean) / torch.tensor(self.deviation).view(shape)
        return (encoded - self.shift) * self.scale

    @property
    def digest(self) -> str:
        """What tells it from others: no two trainings share their means and scales."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


def _numbers(vae: Any, name: str) -> tuple[float, ...]:
    found = dict(vae.named_buffers(recurse=False)).get(name, vae.config.get(name))
    if found is None:
        return ()
    # Of a buffer, whose type is that of the weights: the digest must not depend on it.
    return tuple(round(float(one), 3) for one in torch.as_tensor(found).flatten().tolist())


def fitted_file(vae: Any) -> Path:
    """Return the file of a VAE's colours on this machine, which may not be there."""
    return hub_cache().parent / FOLDER / f"{type(vae).__name__}-{LatentSpace.of(vae).digest}.json"


def find_colours(vae: Any, packaged: Path) -> LatentColours | None:
    """Return the colours of a VAE's latents; None when this machine has none.

    Args:
        vae: Of a loaded pipeline.
        packaged: The folder of the model's weights in this package; it may not be there.
    """
    own = LatentColours.load(packaged / FILE)
    # A folder of the user's may have another VAE under the model's name.
    if own is not None and own.facts.get("latent_space") == LatentSpace.of(vae).digest:
        return own
    return LatentColours.load(fitted_file(vae))
