"""The Modal app and what belongs to it. Imported on both sides, and the same on both.

Every object is named and unconditional: a container that builds other objects than the deployment
did does not start.
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
            # Long videos fragment the memory of the GPU; this keeps the pieces usable.
            "PYTORCH_ALLOC_CONF": "expandable_segments:True",
            OUTPUTS_VARIABLE: OUTPUTS_DIR,
        }
    )
    # Last: files that are added at the start of a container need no new image.
    .add_local_python_source(*SHIPPED_PACKAGES, ignore=is_excluded)
)

outputs: modal.Volume = modal.Volume.from_name(OUTPUTS_VOLUME, create_if_missing=True)
weights: modal.Volume = modal.Volume.from_name(WEIGHTS_VOLUME, create_if_missing=True)
hugging_face: modal.Secret = modal.Secret.from_name(HUGGING_FACE_SECRET)
jobs_dict: modal.Dict = modal.Dict.from_name(JOBS_DICT, create_if_missing=True)
"""Not made by a deployment: whoever looks first makes it."""

# In the container the tags are of no use, and hashing the source would only cost time.
app: modal.App = modal.App(
    APP_NAME, tags=local_tags() if modal.is_local() else {}, include_source=False
)
