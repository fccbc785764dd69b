"""Names shared by the caller and the cluster."""

from __future__ import annotations

from typing import Final

PROTOCOL_VERSION: Final = 1
"""Version of the messages between caller and cluster: raised when an older side could not read a
newer one's. It is in the namespace, so that callers which do not understand each other share no
actors."""

PROVIDER_NAME: Final = "ray"
SHARED_VARIABLE: Final = "TIOMAGIC_RAY_SHARED_DIR"
"""The shared folder's path on a machine; on the cluster only where it differs from the caller's."""
NAMESPACE: Final = f"tiomagic-v{PROTOCOL_VERSION}"
COORDINATOR_NAME: Final = "coordinator"
"""The actor that has the jobs of the cluster."""
WORKER_PREFIX: Final = "worker-"
"""Begins the names of the actors that hold a model."""
COMPARED_LIBRARIES: Final = ("ray", "tiomagic-domain", "torch", "diffusers", "transformers")
"""Distributions whose versions are compared between the caller and the machines."""
CHUNK_BYTES: Final = 4 * 2**20
"""Files travel in pieces of at most this: a piece fits into any object store, and a lost one costs
little."""
LEASH_S: Final = 20.0
"""A worker that has heard nothing of the coordinator for so long ends itself. Ray takes about 30 s
to declare a silent node dead, so such a worker is gone before its job can begin elsewhere."""
