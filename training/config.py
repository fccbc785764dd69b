"""Sizes of the model and of its clips, in one place.

`SMALL` is what a CPU can train; `LARGE` is the same model for one GPU.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything that training, check and shipping have to agree on."""

    size: int = 64
    frames: int = 17
    fps: int = 16
    z_dim: int = 8
    vae: dict = field(
        default_factory=lambda: {
            "base_dim": 16,
            "dim_mult": [1, 2, 2],
            "num_res_blocks": 1,
            "temperal_downsample": [True, True],
            "is_residual": True,
            "scale_factor_spatial": 4,
        }
    )
    patch: int = 4
    heads: int = 8
    head_dim: int = 32
    ffn_dim: int = 640
    layers: int = 5
    vace_layers: tuple[int, ...] = (0, 2)
    text_dim: int = 192
    text_layers: int = 2
    text_tokens: int = 32
    flow_shift: float = 3.0
    crop: int = 32
    """Side of the crops on which the VAE starts."""

    @property
    def latent_frames(self) -> int:
        """Latent frames of a clip: the first alone, then one for every four."""
        return (self.frames - 1) // 4 + 1


SMALL = Setup()
LARGE = Setup(
    size=128,
    frames=33,
    z_dim=16,
    vae={
        "base_dim": 16,
        "dim_mult": [1, 2, 4, 4],
        "num_res_blocks": 1,
        "temperal_downsample": [False, True, True],
        "is_residual": True,
        "scale_factor_spatial": 8,
    },
    patch=2,
    layers=7,
    ffn_dim=1024,
    crop=64,
)
SETUPS = {"small": SMALL, "large": LARGE}
