"""Deploys the app if it is missing or older: never a downgrade, once for concurrent callers.

::

    not there                      deploy
    same version, same source      leave it
    same version, other source     deploy: tiomagic itself is being developed
    older version                  deploy; running jobs finish on the old code
    newer version                  leave it and use it, with a warning: the wire format is the same
"""

from __future__ import annotations

import importlib
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import lock_descriptor

from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    DeploymentError,
    ResourceNotFoundError,
    TioMagicError,
)
from tiomagic_domain.files.private_folder import open_private, private_folder
from tiomagic_modal.client.connection import Connection, require_modal
from tiomagic_modal.constants import APP_NAME, HUGGING_FACE_SECRET, TAG_SOURCE, TAG_VERSION
from tiomagic_modal.deploy.source import local_tags, version_key
from tiomagic_modal.errors import translate_modal_errors

if TYPE_CHECKING:
    import modal

log: logging.Logger = logging.getLogger("tiomagic.modal")

DEPLOY_DEADLINE_S = 1800.0
"""The first deployment builds an image of several gigabytes, which takes minutes."""


LOCK_TIMEOUT_S = DEPLOY_DEADLINE_S + 60.0
"""Seconds to wait for another process's deployment: the time that one may take, and a minute."""

LOCK_POLL_S = 0.2
"""Seconds between two polls of a held lock."""


def do_nothing() -> None:
    """Say nothing."""


class DeploymentState(StrEnum):
    """How the deployed app compares with what is installed here."""

    MISSING = "missing"
    CURRENT = "current"
    OLDER = "older"
    CHANGED = "changed"
    NEWER = "newer"

    @property
    def needs_deployment(self) -> bool:
        """True when a deployment would update the app."""
        return self in {DeploymentState.MISSING, DeploymentState.OLDER, DeploymentState.CHANGED}


def compare_tags(remote: Mapping[str, str] | None, local: Mapping[str, str]) -> DeploymentState:
    """Return how a deployment's tags compare with ours.

    Args:
        remote: Tags of the deployed app; None when there is none.
        local: Tags that a deployment from here would have.
    """
    if remote is None:
        return DeploymentState.MISSING
    theirs, ours = remote.get(TAG_VERSION, ""), local[TAG_VERSION]
    if theirs != ours:
        older = version_key(theirs) < version_key(ours)
        return DeploymentState.OLDER if older else DeploymentState.NEWER
    # The same version from another checkout: while tiomagic itself is being developed.
    same = remote.get(TAG_SOURCE) == local[TAG_SOURCE]
    return DeploymentState.CURRENT if same else DeploymentState.CHANGED


class Deployment:
    """The app in one workspace and environment."""

    def __init__(self, connection: Connection, environment: str | None = None) -> None:
        self._connection = connection
        self._environment = environment

    def tags(self) -> dict[str, str] | None:
        """Return the tags of the deployed app; None when it is not there."""
        modal, client = require_modal(), self._connection.client()

        async def look() -> dict[str, str]:
            found = await modal.App.lookup.aio(
                APP_NAME, client=client, environment_name=self._environment
            )
            return dict(await found.get_tags.aio(client=client))

        try:
            with translate_modal_errors("look for the app on Modal"):
                return self._connection.ask(look)
        except ResourceNotFoundError:
            return None

    def find_state(self) -> DeploymentState:
        """Return how the deployed app compares with what is installed here."""
        return compare_tags(self.tags(), local_tags())

    def ensure(self, before_deploying: Callable[[], None] = do_nothing) -> DeploymentState:
        """Deploy if the app is missing or older; return how it compared before.

        Args:
            before_deploying: Called before a deployment, which takes minutes.

        Raises:
            DeploymentError: when it could not be deployed, with Modal's reason.
        """
        standing = self.find_state()
        if standing.needs_deployment:
            with _hold_deployment_lock():
                standing = self.find_state()  # Another process may have deployed meanwhile.
                if standing.needs_deployment:
                    before_deploying()
                    self.deploy()
        if standing is DeploymentState.NEWER:
            warnings.warn(
                "a newer version of tiomagic is deployed on Modal and is used as it is; update "
                "this one when you can",
                UserWarning,
                stacklevel=2,
            )
        return standing

    def deploy(self) -> None:
        """Deploy the installed version. Running containers finish their jobs.

        Raises:
            DeploymentError: with Modal's reason.
        """
        client = self._connection.client()
        app = _import_worker_app()
        log.info("deploying %s: the first time takes some minutes", APP_NAME)

        async def deploy() -> None:
            await self._make_secret(client)
            await app.deploy.aio(
                client=client,
                environment_name=self._environment,
                tag=local_tags()[TAG_VERSION],
                # Containers that run a job keep their code until it is over.
                strategy="rolling",
            )

        try:
            with translate_modal_errors("deploy to Modal"):
                self._connection.ask(deploy, deadline_s=DEPLOY_DEADLINE_S)
        except (AuthenticationError, ConfigurationError, APIError):
            raise
        except TioMagicError as error:
            raise DeploymentError(error.message, details=error.details, code=error.code) from error

    def stop(self) -> bool:
        """Stop the app and every container of it; False when there was none.

        Running jobs are lost. Volumes stay, with the weights and the finished videos.
        """
        modal, client = require_modal(), self._connection.client()

        async def stop() -> None:
            found = await modal.App.lookup.aio(
                APP_NAME, client=client, environment_name=self._environment
            )
            await found.stop.aio(client=client)

        try:
            with translate_modal_errors("stop the app on Modal"):
                self._connection.ask(stop)
        except ResourceNotFoundError:
            return False
        return True

    async def _make_secret(self, client: modal.Client) -> None:
        """Create the secret that the worker needs, without a token, unless it exists."""
        await require_modal().Secret.objects.create.aio(
            HUGGING_FACE_SECRET,
            {"TIOMAGIC_SECRET_MADE_BY": "tiomagic"},
            allow_existing=True,
            environment_name=self._environment,
            client=client,
        )


def _import_worker_app() -> modal.App:
    app: modal.App = importlib.import_module("tiomagic_modal.container.worker").app
    return app


@contextmanager
def _hold_deployment_lock(patience_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold a lock that all processes of this user share; it is released when the process ends.

    Where the file system has no locks, none is held: two equal deployments are harmless, and only
    cost the time twice.

    Raises:
        ProcessingError: when there is no folder for the lock.
        DeploymentError: when another process holds it for too long.
    """
    path = private_folder() / "modal-deployment.lock"
    try:
        lock = open_private(path)
    except OSError as error:
        raise DeploymentError(
            f"the lock {path} cannot be opened: {error.strerror or error}. Remove what has its name"
        ) from error
    # Closing the descriptor releases the lock, also when the process is killed.
    try:
        _acquire_lock(lock, path, time.monotonic() + patience_s)
        yield
    finally:
        os.close(lock)


def _acquire_lock(lock: int, path: Path, deadline: float) -> None:
    while True:
        try:
            if lock_descriptor(lock, blocking=False):
                return
        except OSError as error:
            log.warning("%s cannot be locked (%s): deploying without", path, error.strerror)
            return
        if time.monotonic() > deadline:
            raise DeploymentError(
                f"another process of yours has held {path} for too long: "
                "it deploys, or it hangs. End it, or try later"
            )
        time.sleep(LOCK_POLL_S)
