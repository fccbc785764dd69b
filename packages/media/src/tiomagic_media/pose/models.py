"""Finds or downloads the two networks of the pose estimator, and checks their digests.

They are those that the pose-guided models were trained with: a YOLOX detector and the DWPose
estimator, both as ONNX, which is data and not code (unlike a pickle). They come from the folder
that the setting names, else from the Hugging Face hub at one commit, and are compared with the
digests below.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError, ConfigurationError, ProcessingError
from tiomagic_domain.extras import missing_extra_error
from tiomagic_domain.files.digests import sha256_of
from tiomagic_media.fetch.hub_telemetry import disable_hub_telemetry
from tiomagic_media.fetch.retry import build_retry_policy

FOLDER_VARIABLE = "TIOMAGIC_POSE_MODELS"
"""Environment variable with a folder that holds both files under their names."""

EXTRA_PURPOSE = "finding the poses in a guiding video"
"""What the extra ``pose`` is for."""

RETRY_WINDOW_S = 60.0
"""Seconds after which a failed download is not retried. Each attempt resumes where the last one
stopped."""

ANSWER_WITHIN_S = 4.0
"""Seconds for the hub's first answer, after which there is no network."""

REPOSITORY = "yzd-v/DWPose"
REVISION = "1a7144101628d69ee7a3768d1ee3a094070dc388"
DETECTOR_FILE = "yolox_l.onnx"
POSE_FILE = "dw-ll_ucoco_384.onnx"

DIGESTS = {
    DETECTOR_FILE: "7860ae79de6c89a3c1eb72ae9a2756c0ccfbe04b7791bb5880afabd97855a411",
    POSE_FILE: "724f4ff2439ed61afb86fb8a1951ec39c6220682803b4a8bd4f598cd913b1843",
}
"""SHA-256 of the files at the pinned commit, Apache-2.0."""

SIZES = {DETECTOR_FILE: 217_000_000, POSE_FILE: 134_000_000}
"""Bytes of the files, as the hub shows them: in whole megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseModels:
    """The two ONNX files of the estimator."""

    detector: Path
    """YOLOX over the 80 COCO classes: where people are."""
    pose: Path
    """133 COCO-WholeBody points with SimCC outputs: how one of them stands."""


def find_pose_models(folder: Path | None = None) -> PoseModels:
    """Return the files from a folder, or from the hub when no folder is named.

    Args:
        folder: Holds both files; None for the one in ``TIOMAGIC_POSE_MODELS``.

    Raises:
        ConfigurationError: when a named folder lacks one of them.
        MissingDependencyError: when they have to be fetched and the extra is not installed.
        APIError: when they cannot be fetched.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    if folder is None and named:
        folder = Path(named).expanduser()
    if folder is not None:
        return PoseModels(detector=_inside(folder, DETECTOR_FILE), pose=_inside(folder, POSE_FILE))
    return PoseModels(detector=_fetched(DETECTOR_FILE), pose=_fetched(POSE_FILE))


def count_missing_bytes() -> int:
    """Return the bytes that :func:`find_pose_models` would download. Makes no request."""
    if os.environ.get(FOLDER_VARIABLE):
        return 0
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return sum(SIZES.values())
    missing = [
        name
        for name in SIZES
        if not isinstance(try_to_load_from_cache(REPOSITORY, name, revision=REVISION), str)
    ]
    return sum(SIZES[name] for name in missing)


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise ConfigurationError(
            f"{FOLDER_VARIABLE} names {str(folder)!r}, which has no file {name!r}; "
            f"get it from the repository {REPOSITORY} of the Hugging Face hub",
            details={"folder": str(folder), "file": name},
        )
    return path


def _fetched(name: str) -> Path:
    try:
        from huggingface_hub import hf_hub_download  # Heavy, and an extra.
    except ImportError as error:
        raise missing_extra_error("pose", EXTRA_PURPOSE, module="huggingface_hub") from error
    fetched = build_retry_policy(f"the pose model {name}", _may_pass, within_s=RETRY_WINDOW_S)
    try:
        with disable_hub_telemetry():
            _ask_hub(name)
            path = Path(fetched(hf_hub_download, REPOSITORY, name, revision=REVISION))
    except (OSError, ValueError, RuntimeError) as error:
        # The hub's own errors are among these: HTTP errors and offline mode are OSErrors.
        raise APIError(
            f"the pose model {name} cannot be fetched from the Hugging Face hub; with the file "
            f"on this machine, name its folder in {FOLDER_VARIABLE}",
            details={"repository": REPOSITORY, "revision": REVISION, "file": name},
            retryable=True,
        ) from error
    check_digest(path, DIGESTS[name])
    return path


def _ask_hub(name: str) -> None:
    """Ask for a file that is not here, once and for seconds.

    The hub's client itself tries for more than a minute, with a line for each attempt, before it
    says that there is no network.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # As in the client.

    if isinstance(try_to_load_from_cache(REPOSITORY, name, revision=REVISION), str):
        return
    url = hf_hub_url(REPOSITORY, name, revision=REVISION)

    def ask() -> None:
        try:
            get_hf_file_metadata(url, timeout=ANSWER_WITHIN_S)
        except HTTPError as error:
            # Those of its HTTP library are no OSErrors.
            raise OSError(str(error)) from error

    build_retry_policy(f"the pose model {name}", _may_pass, within_s=ANSWER_WITHIN_S)(ask)


def _may_pass(error: BaseException) -> bool:
    """Say whether an error is transient: a network fault, not the offline mode."""
    from huggingface_hub import constants

    return isinstance(error, OSError) and not constants.HF_HUB_OFFLINE


def check_digest(path: Path, expected: str) -> None:
    """Compare a fetched file with the digest that is written here.

    Raises:
        ProcessingError: when they differ: the file is damaged or not the one that was pinned.
    """
    found = sha256_of(path)
    if found != expected:
        raise ProcessingError(
            f"the pose model {path.name} is not the file that this version knows; "
            "delete it from the hub's cache and try again",
            details={"expected": expected, "found": found},
            code=ErrorCode.WRONG_DIGEST,
        )
