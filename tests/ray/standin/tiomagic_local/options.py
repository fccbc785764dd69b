from dataclasses import dataclass
from pathlib import Path


@dataclass(kw_only=True)
class LocalOptions:
    weights_dir: Path | None = None
    hf_token: str | None = None
    device: str | None = None
