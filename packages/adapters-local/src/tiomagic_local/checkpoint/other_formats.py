"""Error texts for weight files in formats that are not read."""

from __future__ import annotations

from pathlib import Path

PICKLED = frozenset({".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle"})
"""Endings of files whose loading may run any code."""

CONVERT = (
    "a pickled file can run any code when it is opened, so none is read; where you trust it, "
    'convert it once: python -c "import torch; from safetensors.torch import save_file; '
    "t = torch.load('{name}', map_location='cpu', weights_only=True); "
    "t = t.get('state_dict', t); "
    "save_file({{k: v.contiguous() for k, v in t.items() if hasattr(v, 'contiguous')}}, "
    "'{stem}.safetensors')\""
)
GGUF = "a LoRA is not read from GGUF; take the same as safetensors"


def explain_unreadable_format(name: str) -> str | None:
    """Return why a file is not read, by its ending; None for other endings."""
    path = Path(name)
    ending = path.suffix.lower()
    if ending in PICKLED:
        return CONVERT.format(name=path.name, stem=path.stem)
    return GGUF if ending == ".gguf" else None
