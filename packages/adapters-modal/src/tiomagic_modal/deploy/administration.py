"""What a person does with the Modal side by hand: set it up, look at it, stop paying for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ConfigurationError, ResourceNotFoundError, TioMagicError
from tiomagic_modal.client.connection import Connection, require_modal
from tiomagic_modal.constants import APP, HUGGING_FACE_SECRET, PREFETCH
from tiomagic_modal.deploy.deployment import Deployment, Standing, compare
from tiomagic_modal.deploy.source import local_tags
from tiomagic_modal.errors import translated
from tiomagic_modal.options import ModalOptions
from tiomagic_modal.wire import WorkerError

PREFETCH_DEADLINE_S = 3600.0 + 600.0
"""A little more than the container may take."""
LOG_LINES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that `Administration.examine` looked at."""

    subject: str
    fine: bool
    message: str
    """What was found, and what to do when it is not fine."""


class Administration:
    """The app in one workspace and environment, for the person who pays for it.

    Args:
        options: Whose token, and which environment.
    """

    def __init__(self, options: ModalOptions) -> None:
        self._options = options
        self._connection = Connection(options)
        self._deployment = Deployment(self._connection, options.environment)

    def deploy(self, *, force: bool = False) -> Standing:
        """Bring the app up to date and return what was found before.

        Args:
            force: Also replace a newer version.

        Raises:
            ConfigurationError: when a newer version is there and it was not forced.
        """
        standing = self._deployment.standing()
        if standing is Standing.NEWER and not force:
            raise ConfigurationError(
                f"a newer version is deployed ({self._deployment.tags()}); update tiomagic, or "
                "replace it with: tiomagic modal deploy --force",
                code="newer_version",
            )
        if standing is not Standing.CURRENT:
            self._deployment.deploy()
        return standing

    def status(self) -> dict[str, object]:
        """Return name, standing, and the tags there and here."""
        remote, local = self._deployment.tags(), local_tags()
        differing = sorted(name for name in local if (remote or {}).get(name) != local[name])
        return {
            "app": APP,
            "standing": compare(remote, local).value,
            "deployed": remote,
            "installed": local,
            "differs": [] if remote is None else differing,
        }

    def stop(self) -> bool:
        """Stop the app and its containers; False when there was none."""
        return self._deployment.stop()

    def prefetch(self, model: str) -> str:
        """Download a model's weights to the Volume and return repository and revision.

        Raises:
            UnknownModelError: when there is no such model.
            TioMagicError: when they could not be had.
        """
        card = find_model(model)
        self._deployment.ensure()
        modal, client = require_modal(), self._connection.client()
        function = modal.Function.from_name(
            APP, PREFETCH, environment_name=self._options.environment, client=client
        )
        try:
            with translated("fetch the weights"):
                found = self._connection.ask(
                    lambda: function.remote.aio(card.name), deadline_s=PREFETCH_DEADLINE_S
                )
        except WorkerError as error:
            raise _as_error(error) from error
        return str(found)

    def logs(self, call_id: str) -> Iterator[str]:
        """Yield the last lines that a job's container printed, without line ends.

        Raises:
            ResourceNotFoundError: when Modal does not know the call.
        """
        modal, client = require_modal(), self._connection.client()
        call = modal.FunctionCall.from_id(call_id, client=client)

        async def read() -> list[str]:
            return [entry.message async for entry in call.logs.tail.aio(LOG_LINES)]

        with translated("read the logs"):
            lines = self._connection.ask(read, deadline_s=60.0)
        for line in lines:
            yield line.rstrip("\n")

    def examine(self) -> list[Finding]:
        """Look at the token, the workspace, the app and the secret, and say what to do."""
        try:
            self._connection.check_token()
            workspace = self._workspace()
        except TioMagicError as error:
            return [Finding(subject="token", fine=False, message=error.message)]
        found = [Finding(subject="token", fine=True, message="accepted")]
        found.append(Finding(subject="workspace", fine=True, message=workspace))
        return [*found, self._examine_app(), self._examine_secret()]

    def _workspace(self) -> str:
        client = self._connection.client()
        workspace = require_modal().Workspace.from_context(client=client)
        with translated("look at the workspace"):
            self._connection.ask(workspace.hydrate.aio)
        return str(workspace.name)

    def _examine_app(self) -> Finding:
        standing = self._deployment.standing()
        message = {
            Standing.MISSING: "not deployed yet; the first job does it, or: tiomagic modal deploy",
            Standing.CURRENT: "the installed version is deployed",
            Standing.OLDER: "an older version is deployed; the next job brings it forward",
            Standing.CHANGED: "the source differs; the next job brings it forward",
            Standing.NEWER: "a newer version is deployed and will be used; update tiomagic",
        }[standing]
        return Finding(subject="app", fine=standing is not Standing.NEWER, message=message)

    def _examine_secret(self) -> Finding:
        modal, client = require_modal(), self._connection.client()
        secret = modal.Secret.from_name(
            HUGGING_FACE_SECRET,
            environment_name=self._options.environment,
            required_keys=["HF_TOKEN"],
            client=client,
        )
        message = "HF_TOKEN is set: gated models can be fetched"
        try:
            with translated("look at the secret"):
                self._connection.ask(secret.hydrate.aio)
        except ResourceNotFoundError:
            message = (
                "no HF_TOKEN; only gated models need one: modal secret create --force "
                f"{HUGGING_FACE_SECRET} HF_TOKEN=<your token>"
            )
        return Finding(subject="secret", fine=True, message=message)


def _as_error(error: WorkerError) -> TioMagicError:
    content = error.content
    return TioMagicError(str(content["message"]), code=str(content.get("code", "worker")))
