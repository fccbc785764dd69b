"""Rehearses a model in a rented container: on the GPU of a real job, without weights."""

from __future__ import annotations

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.ports.rehearsal import Rehearsal
from tiomagic_modal.client.connection import Connection, require_modal
from tiomagic_modal.client.remote import CPU_CORES, container_memory_mib
from tiomagic_modal.constants import APP_NAME, REHEARSAL_CLASS
from tiomagic_modal.errors import translate_modal_errors
from tiomagic_modal.gpus import choose_gpu
from tiomagic_modal.options import ModalOptions
from tiomagic_modal.wire import WorkerError

REHEARSAL_DEADLINE_S = 1200.0
"""A little more than the container's timeout and a usual wait for a GPU."""


def rehearse_on_modal(card: ModelCard, connection: Connection, options: ModalOptions) -> Rehearsal:
    """Rehearse a model on the GPU that a job of it would get.

    Args:
        card: The model.
        connection: To Modal, where the app is deployed.
        options: Which GPU, in which environment.

    Raises:
        TioMagicError: when the container failed.
    """
    modal, client = require_modal(), connection.client()
    gpu = choose_gpu(card, options.gpu)
    chosen = {"gpu": gpu} if gpu else {"cpu": CPU_CORES}
    stage = modal.Cls.from_name(
        APP_NAME, REHEARSAL_CLASS, environment_name=options.environment, client=client
    )
    method = stage.with_options(**chosen, memory=container_memory_mib(card, gpu=gpu))().rehearse
    try:
        with translate_modal_errors("rehearse the model"):
            found = connection.ask(
                lambda: method.remote.aio(card.name), deadline_s=REHEARSAL_DEADLINE_S
            )
    except WorkerError as error:
        content = error.content
        raise TioMagicError(
            str(content["message"]), code=str(content.get("code", ErrorCode.WORKER))
        ) from error
    return Rehearsal.from_dict(found, provider="modal")
