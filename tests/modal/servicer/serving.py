"""The server in a thread of this process: its parts, its start and end, its state on disk."""

import asyncio
import pickle
import shutil
import socket
import tempfile
import threading
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from grpclib.protocol import H2Protocol
from grpclib.server import Server
from modal_proto import api_pb2

import modal

from .calls import CallRpcs
from .containers import ContainerRpcs
from .deploy import DeployRpcs
from .faults import Faults
from .launcher import ContainerRunner
from .rpc import Dispatcher, Traffic
from .scheduler import Runner, Scheduler, Settings
from .state import State
from .storage import StorageRpcs
from .threads import ThreadRunner
from .volumes import VolumeStore
from .web import Files, Web

TOKEN_ID, TOKEN_SECRET = "ak-fake-token", "as-fake-secret"


class _GrpcServer(Server):
    """grpclib's server, which can also cut the connections that it has."""

    def __init__(self, service: Dispatcher) -> None:
        super().__init__([service])
        self._protocols: weakref.WeakSet[H2Protocol] = weakref.WeakSet()

    def _protocol_factory(self) -> H2Protocol:
        protocol = super()._protocol_factory()
        self._protocols.add(protocol)
        return protocol

    def drop_connections(self) -> None:
        for protocol in list(self._protocols):
            if hasattr(protocol, "connection"):
                protocol.connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def client_of(url: str) -> modal.Client:
    """Make a client; it is a context manager, and every Modal call takes it as `client=`."""
    return modal.Client(url, api_pb2.CLIENT_TYPE_CLIENT, (TOKEN_ID, TOKEN_SECRET))


class _Endpoint:
    """One way in: a gRPC port and an HTTP port. Clients have one, containers another."""

    def __init__(self, dispatcher: Dispatcher, files: Web, port: int = 0) -> None:
        self._dispatcher = dispatcher
        self._files = files
        self.port = port or free_port()
        self.web_port = free_port()
        self._grpc: _GrpcServer | None = None
        self._web: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    async def open(self) -> None:
        if self._grpc is not None:
            return
        self._grpc = _GrpcServer(self._dispatcher)
        await self._grpc.start("127.0.0.1", self.port)
        self._web = web.AppRunner(self._files.application(), shutdown_timeout=0.1)
        await self._web.setup()
        await web.TCPSite(self._web, "127.0.0.1", self.web_port).start()

    async def close(self) -> None:
        """Cut all connections and take no more."""
        if self._grpc is None or self._web is None:
            return
        self._grpc.close()
        self._grpc.drop_connections()
        await self._grpc.wait_closed()
        await self._web.cleanup()
        self._grpc = self._web = None


class ServerLifecycle:
    """Everything of `FakeModal` but what tests look at and do."""

    def __init__(self, *, port: int = 0, state_dir: Path | None = None, **settings: Any) -> None:
        """Prepare a server; `settings` are the fields of `Settings`."""
        self.settings = Settings(**settings)
        self._first_settings = replace(self.settings)
        self._owned = None if state_dir else tempfile.mkdtemp(prefix="fake-modal-")
        self.root = Path(state_dir or self._owned or "")
        self.state = self._load()
        self.faults = Faults()
        self.traffic = Traffic()
        self.files = Files(self.root)
        self.volume_store = VolumeStore(self.root)
        self._web = Web(self.files, self.volume_store, self.faults)
        self.scheduler = Scheduler(self.state, self.settings)
        self.dispatcher = Dispatcher(
            [
                DeployRpcs(self.state, self.scheduler),
                CallRpcs(self.state, self.scheduler),
                ContainerRpcs(self.state, self.scheduler),
                StorageRpcs(self.state, self.files, self.volume_store),
            ],
            faults=self.faults,
            traffic=self.traffic,
            credentials=(TOKEN_ID, TOKEN_SECRET),
            keep=self._save,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.client_endpoint = _Endpoint(self.dispatcher, self._web, port)
        self.container_endpoint = _Endpoint(self.dispatcher, self._web)
        """For containers: it stays open when clients are shut out."""
        self.files.urls.update(
            client=self.client_endpoint.web_url, container=self.container_endpoint.web_url
        )

    # Starting and stopping.

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve, and go on with what the state directory holds."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), name="fake-modal")
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """End the containers and the server; keep the state if a directory was given for it."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._loop = self._thread = None
        if self._owned is not None:
            shutil.rmtree(self._owned, ignore_errors=True)

    def _serve(self, ready: threading.Event) -> None:
        asyncio.run(self._main(ready))

    async def _main(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self.scheduler.runner = runner = self._make_runner()
        await self.client_endpoint.open()
        await self.container_endpoint.open()
        chores = [asyncio.create_task(self._save_often())]
        if isinstance(runner, ContainerRunner):
            chores.append(asyncio.create_task(runner.watch()))
        self.scheduler.resume()
        ready.set()
        await self._stopping.wait()
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        self.scheduler.is_paused = True
        runner.stop()
        await self.client_endpoint.close()
        await self.container_endpoint.close()
        self._save()

    def _make_runner(self) -> Runner:
        if self.settings.executor == "container":
            return ContainerRunner(
                self.scheduler, self.volume_store, self.root, self.container_endpoint.url
            )
        return ThreadRunner(self.scheduler, store=self.files.store, load=self.files.load)

    # Keeping the state.

    @property
    def _state_file(self) -> Path:
        return self.root / "state.pickle"

    def _load(self) -> State:
        if not self._state_file.exists():
            return State()
        state = pickle.loads(self._state_file.read_bytes())
        assert isinstance(state, State)
        return state

    def _save(self) -> None:
        if self._owned is None:
            partial = self._state_file.with_suffix(".partial")
            partial.write_bytes(pickle.dumps(self.state))
            partial.replace(self._state_file)

    async def _save_often(self) -> None:
        seen = -1
        while True:
            await asyncio.sleep(0.1)
            now = self.traffic.clients.total() + self.traffic.containers.total()
            if now != seen:
                seen = now
                self._save()

    # What clients need.

    @property
    def url(self) -> str:
        return self.client_endpoint.url

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make a client process use this server and nothing else."""
        return {
            "MODAL_SERVER_URL": self.url,
            "MODAL_TOKEN_ID": TOKEN_ID,
            "MODAL_TOKEN_SECRET": TOKEN_SECRET,
            "MODAL_CONFIG_PATH": str(self.root / "modal.toml"),
        }

    def client(self) -> modal.Client:
        return client_of(self.url)
