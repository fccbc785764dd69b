"""The Modal app: image, Volumes, Dict and secret. The same objects on both sides.

Every object is named and unconditional: a container whose objects differ from the deployment's does
not start.
"""

from __future__ import annotations

import modal
from tiomagic_modal.constants import (
    APP_NAME,
    HUGGING_FACE_SECRET,
    JOBS_DICT,
    OUTPUTS_DIR,
    OUTPUTS_VARIABLE,
    OUTPUTS_VOLUME,
    WEIGHTS_DIR,
    WEIGHTS_VOLUME,
)
from tiomagic_modal.deploy.source import SHIPPED_PACKAGES, is_excluded, local_tags
from tiomagic_modal.image_pins import PINS, PYTHON

image: modal.Image = (
    modal.Image.debian_slim(python_version=PYTHON)
    .uv_pip_install(*PINS)
    .env(
        {
            "HF_HOME": f"{WEIGHTS_DIR}/huggingface",
            "HF_XET_HIGH_PERFORMANCE": "1",
            # Long videos fragment the GPU's memory; expandable segments keep it usable.
            "PYTORCH_ALLOC_CONF": "expandable_segments:True",
            OUTPUTS_VARIABLE: OUTPUTS_DIR,
        }
    )
    # Last, because files added at a container's start need no new image.
    .add_local_python_source(*SHIPPED_PACKAGES, ignore=is_excluded)
)

outputs: modal.Volume = modal.Volume.from_name(OUTPUTS_VOLUME, create_if_missing=True)
weights: modal.Volume = modal.Volume.from_name(WEIGHTS_VOLUME, create_if_missing=True)
hugging_face: modal.Secret = modal.Secret.from_name(HUGGING_FACE_SECRET)
jobs_dict: modal.Dict = modal.Dict.from_name(JOBS_DICT, create_if_missing=True)
"""Not created by a deployment: the first access creates it."""

# In the container the tags are not needed, and hashing the source would cost time.
app: modal.App = modal.App(
    APP_NAME, tags=local_tags() if modal.is_local() else {}, include_source=False
)
