"""Names shared by caller and container: the app, its Dict, Volumes and secret, keys and paths.

The app's name carries the version of the wire format, so that clients which do not understand each
other never share an app. Within one format the app's tags say which version is deployed.
"""

from __future__ import annotations

PROTOCOL_VERSION = 1
"""Version of the wire format: raised when an older side could not read a newer one's messages."""

PROVIDER_NAME = "modal"

APP_NAME = f"tiomagic-v{PROTOCOL_VERSION}"
WORKER_CLASS = "VideoWorker"
PREFETCH_FUNCTION = "prefetch"
REHEARSAL_CLASS = "Stage"
"""The class that rehearses models, see `rehearsing`."""
JOBS_DICT = f"tiomagic-jobs-v{PROTOCOL_VERSION}"
"""A Dict with the newest progress of each job, and the call that runs it."""
OUTPUTS_VOLUME = "tiomagic-outputs"
WEIGHTS_VOLUME = "tiomagic-weights"
HUGGING_FACE_SECRET = "tiomagic-huggingface"  # noqa: S105  The name of a secret, not one.
"""Holds ``HF_TOKEN`` for gated models. Deploying makes an empty one if there is none."""

OUTPUTS_DIR = "/outputs"
WEIGHTS_DIR = "/weights"
OUTPUTS_VARIABLE = "TIOMAGIC_OUTPUTS_DIR"
"""Mount path of the outputs Volume in the container."""

TAG_VERSION = "tiomagic-version"
TAG_SOURCE = "tiomagic-source"

VIDEO_FILE = "video.mp4"
RESULT_FILE = "result.json"


def progress_key(job_id: str) -> str:
    """Return the key of a job's newest progress: a dict with ``call_id``, ``phase``, ``step``."""
    return f"moment/{job_id}"


def claim_key(job_id: str) -> str:
    """Return the key of the call that runs a job. Written once, by the first call that starts."""
    return f"claim/{job_id}"


def stop_key(job_id: str) -> str:
    """Return the key that cancels a job: every start of it, now and later, gives up."""
    return f"stop/{job_id}"


def submission_key(job_id: str) -> str:
    """Return the key that marks a job as submitted. Written before the spawn."""
    return f"sent/{job_id}"
