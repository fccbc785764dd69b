"""Administration of the Modal side by hand: deploy, status, fetch weights, logs, check, stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tiomagic_domain.advice import NextStep
from tiomagic_domain.catalogue import find_model
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, ResourceNotFoundError, TioMagicError
from tiomagic_modal.client.connection import Connection, require_modal
from tiomagic_modal.constants import APP_NAME, HUGGING_FACE_SECRET, PREFETCH_FUNCTION, PROVIDER_NAME
from tiomagic_modal.deploy.deployment import Deployment, DeploymentState, compare_tags
from tiomagic_modal.deploy.source import local_tags
from tiomagic_modal.errors import translate_modal_errors
from tiomagic_modal.options import ModalOptions
from tiomagic_modal.wire import WorkerError

PREFETCH_DEADLINE_S = 3600.0 + 600.0
"""A little more than the container may take."""
MAX_LOG_LINES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentCheck:
    """One check of `Administration.examine`."""

    subject: str
    is_ok: bool
    message: str
    """The finding, with advice if it is not in order."""


class Administration:
    """Administers the app in one workspace and environment.

    Args:
        options: With the token and the environment.
    """

    def __init__(self, options: ModalOptions) -> None:
        self._options = options
        self._connection = Connection(options)
        self._deployment = Deployment(self._connection, options.environment)

    def deploy(self, *, force: bool = False) -> DeploymentState:
        """Deploy the app if needed and return how it compared before.

        Args:
            force: Also replace a newer version.

        Raises:
            ConfigurationError: when a newer version is deployed and ``force`` is off.
        """
        standing = self._deployment.find_state()
        if standing is DeploymentState.NEWER and not force:
            raise ConfigurationError(
                f"a newer version is deployed ({self._deployment.tags()}); update tiomagic, or "
                f"{NextStep.REPLACE_DEPLOYED.say(provider=PROVIDER_NAME)}",
                code=ErrorCode.NEWER_VERSION,
            )
        if standing is not DeploymentState.CURRENT:
            self._deployment.deploy()
        return standing

    def status(self) -> dict[str, object]:
        """Return name, standing, and the tags there and here."""
        remote, local = self._deployment.tags(), local_tags()
        differing = sorted(name for name in local if (remote or {}).get(name) != local[name])
        return {
            "app": APP_NAME,
            "standing": compare_tags(remote, local).value,
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
            TioMagicError: when they could not be fetched.
        """
        card = find_model(model)
        self._deployment.ensure()
        modal, client = require_modal(), self._connection.client()
        function = modal.Function.from_name(
            APP_NAME, PREFETCH_FUNCTION, environment_name=self._options.environment, client=client
        )
        try:
            with translate_modal_errors("fetch the weights"):
                found = self._connection.ask(
                    lambda: function.remote.aio(card.name), deadline_s=PREFETCH_DEADLINE_S
                )
        except WorkerError as error:
            raise _to_error(error) from error
        return str(found)

    def logs(self, call_id: str) -> Iterator[str]:
        """Yield the last lines that a job's container printed, without line ends.

        Raises:
            ResourceNotFoundError: when Modal does not know the call.
        """
        modal, client = require_modal(), self._connection.client()
        call = modal.FunctionCall.from_id(call_id, client=client)

        async def read() -> list[str]:
            return [entry.message async for entry in call.logs.tail.aio(MAX_LOG_LINES)]

        with translate_modal_errors("read the logs"):
            lines = self._connection.ask(read, deadline_s=60.0)
        for line in lines:
            yield line.rstrip("\n")

    def run_checks(self) -> list[DeploymentCheck]:
        """Check the token, the workspace, the app and the secret, with advice for each fault."""
        try:
            self._connection.check_token()
            workspace = self._find_workspace()
        except TioMagicError as error:
            return [DeploymentCheck(subject="token", is_ok=False, message=error.message)]
        found = [DeploymentCheck(subject="token", is_ok=True, message="accepted")]
        found.append(DeploymentCheck(subject="workspace", is_ok=True, message=workspace))
        return [*found, self._check_app(), self._check_secret()]

    def _find_workspace(self) -> str:
        client = self._connection.client()
        workspace = require_modal().Workspace.from_context(client=client)
        with translate_modal_errors("look at the workspace"):
            self._connection.ask(workspace.hydrate.aio)
        return str(workspace.name)

    def _check_app(self) -> DeploymentCheck:
        standing = self._deployment.find_state()
        message = {
            DeploymentState.MISSING: (
                "not deployed yet; the first job does it, or "
                f"{NextStep.DEPLOY.say(provider=PROVIDER_NAME)}"
            ),
            DeploymentState.CURRENT: "the installed version is deployed",
            DeploymentState.OLDER: "an older version is deployed; the next job brings it forward",
            DeploymentState.CHANGED: "the source differs; the next job brings it forward",
            DeploymentState.NEWER: "a newer version is deployed and will be used; update tiomagic",
        }[standing]
        return DeploymentCheck(
            subject="app", is_ok=standing is not DeploymentState.NEWER, message=message
        )

    def _check_secret(self) -> DeploymentCheck:
        modal, client = require_modal(), self._connection.client()
        secret = modal.Secret.from_name(
            HUGGING_FACE_SECRET,
            environment_name=self._options.environment,
            required_keys=["HF_TOKEN"],
            client=client,
        )
        message = "HF_TOKEN is set: gated models can be fetched"
        try:
            with translate_modal_errors("look at the secret"):
                self._connection.ask(secret.hydrate.aio)
        except ResourceNotFoundError:
            message = (
                "no HF_TOKEN; only gated models need one: modal secret create --force "
                f"{HUGGING_FACE_SECRET} HF_TOKEN=<your token>"
            )
        return DeploymentCheck(subject="secret", is_ok=True, message=message)


def _to_error(error: WorkerError) -> TioMagicError:
    content = error.content
    return TioMagicError(str(content["message"]), code=str(content.get("code", ErrorCode.WORKER)))
