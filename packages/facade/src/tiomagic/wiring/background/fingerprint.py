"""The fingerprint of all that a run depends on: no worker runs a job of other settings.

A worker keeps its model for the next job, from any process. So jobs wait in a queue that has the
fingerprint in its name, and only a worker that was started with the same settings, the same
libraries and the same relevant variables serves it.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tiomagic_domain.files.owner_only import make_private, private_opener
from tiomagic_domain.interpreter import safe_environment

if TYPE_CHECKING:
    from tiomagic.wiring.settings import Settings

FINGERPRINT_CHARACTERS: Final = 12
KEY_FILE: Final = "fingerprint.key"
"""File of the state folder with the key of the fingerprints, which hide tokens and passwords."""
KEY_BYTES: Final = 32

SETTINGS_BESIDE_THE_RUN: Final = frozenset(
    {
        # The name of the queue has these.
        *("provider", "other_providers", "device"),
        # Asked before a job is stored, and never by a worker.
        *("max_cost", "daily_budget", "monthly_budget"),
        # A worker finds the queue in this very database.
        "database_url",
        *("worker_idle_s", "worker_stale_s", "worker_cancel_s", "warm_worker"),
        "accepted_terms",
        *("log_level", "announce_jobs", "ui_auth", "ui_allowed_hosts", "provider_secrets"),
    }
)
"""Settings that change no video."""

_VARIABLES: Final = re.compile(
    r"(?:HF|HUGGING\w*|TRANSFORMERS|DIFFUSERS|ACCELERATE|SAFETENSORS|TOKENIZERS|XET)_\w+"
    r"|(?:TORCH\w*|PYTORCH|TRITON|CUDA|CUDNN|CUBLAS|NVIDIA|NCCL|HIP|HSA|ROCR|ROCM|AMD|GPU|MIOPEN)_\w+"
    r"|(?:OMP|MKL|KMP|OPENBLAS|NUMEXPR|ONEDNN|DNNL|ORT|GOMP|VECLIB)_\w+"
    r"|(?:HTTP|HTTPS|ALL|NO)_PROXY|(?:http|https|all|no)_proxy|\w*_CA_BUNDLE|SSL_CERT_\w+"
    r"|HOME|USER|TMPDIR|TEMP|TMP|XDG_CACHE_HOME|XDG_CONFIG_HOME|XDG_RUNTIME_DIR"
    r"|PYTHON\w+|LD_\w+|DYLD_\w+|VIRTUAL_ENV|CONDA_PREFIX|MALLOC_\w+"
)
"""Variables that the libraries of a run read. Those of terminals and shells are not among them."""

PACKAGES: Final = (
    *("tiomagic", "tiomagic_domain", "tiomagic_local"),
    *("tiomagic_media", "tiomagic_storage"),
)
"""Packages whose files count one by one: in a checkout they change without an installation."""


def fingerprint_run(settings: Settings, environment: Mapping[str, str]) -> str:
    """Return the fingerprint of a run: two runs with the same one may share a loaded model.

    Args:
        settings: Of the run.
        environment: Of its process.
    """
    names = set(settings.__dataclass_fields__) - SETTINGS_BESIDE_THE_RUN - {"of_providers"}
    values = {name: getattr(settings, name) for name in names} | dict(settings.of_providers)
    variables = safe_environment(environment)
    depends_on = {
        "settings": {name: None if value is None else str(value) for name, value in values.items()},
        "variables": {k: v for k, v in variables.items() if _VARIABLES.fullmatch(k)},
        "program": [sys.executable, sys.version, *_installation()],
    }
    text = json.dumps(depends_on, sort_keys=True).encode("utf-8", "surrogateescape")
    # With a key, without which no password can be tried against the stored fingerprint.
    digest = hmac.new(_read_key(settings.state_dir / KEY_FILE), text, "sha256")
    return digest.hexdigest()[:FINGERPRINT_CHARACTERS]


def _installation() -> Iterator[int]:
    """Yield the times at which the installed packages changed."""
    for entry in sys.path:
        if entry.endswith("-packages"):
            yield _modified_ns(entry)
    for package in PACKAGES:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            yield _newest_source_ns(folder)


def _modified_ns(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0


def _newest_source_ns(folder: str) -> int:
    newest, open_folders = 0, [folder]
    while open_folders:
        with os.scandir(open_folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir() and entry.name != "__pycache__":
                    open_folders.append(entry.path)
                elif entry.name.endswith(".py"):
                    newest = max(newest, entry.stat().st_mtime_ns)
    return newest


def _read_key(path: Path) -> bytes:
    """Return the key of a state folder, made when it is not there."""
    try:
        make_private(path.parent)
        # Made by an earlier run, or by another process just now.
        with suppress(FileExistsError), open(path, "xb", opener=private_opener) as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        key = path.read_bytes()
    except OSError:
        key = b""
    # One that cannot be kept, or is just being written: this run shares no worker.
    return key if len(key) == KEY_BYTES else secrets.token_bytes(KEY_BYTES)
