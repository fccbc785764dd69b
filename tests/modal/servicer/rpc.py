"""From a gRPC stream to a method of an area, with counts, tokens, faults and repeats."""

import asyncio
import logging
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from grpclib import GRPCError, Status
from grpclib.const import Cardinality, Handler
from grpclib.server import Stream
from modal_proto import api_pb2
from modal_proto.api_grpc import ModalClientBase

from .faults import Faults

logger = logging.getLogger(__name__)

TASK_HEADER = "x-fake-task"
"""Containers are told to send this; the real service knows them by their socket."""

DEDUPLICATED_RPCS = frozenset(
    {"AppCreate", "BlobCreate", "DictPop", "DictUpdate", "FunctionGetInputs", "FunctionMap"}
)
"""Answered from memory when the client repeats a request whose answer was lost."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks."""

    task_id: str
    """Empty for a client that is not a container."""
    idempotency_key: str

    @property
    def side(self) -> str:
        return "container" if self.task_id else "client"


@dataclass
class Traffic:
    """What came in."""

    clients: Counter[str] = field(default_factory=Counter)
    containers: Counter[str] = field(default_factory=Counter)
    log: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=20_000))
    """(task id or "", RPC), oldest first."""

    def note(self, rpc: str, caller: Caller) -> None:
        (self.containers if caller.task_id else self.clients)[rpc] += 1
        self.log.append((caller.task_id, rpc))

    def clear(self) -> None:
        self.clients.clear()
        self.containers.clear()
        self.log.clear()


class _Unanswered(ModalClientBase):
    """Gives the table of all RPCs; none of its methods is used."""


_Unanswered.__abstractmethods__ = frozenset()


class Dispatcher:
    """The service that grpclib serves: finds the method named like the RPC in one of the areas."""

    def __init__(
        self,
        areas: Sequence[object],
        *,
        faults: Faults,
        traffic: Traffic,
        credentials: tuple[str, str],
        keep: Callable[[], None],
    ) -> None:
        self._areas = areas
        self._faults = faults
        self._traffic = traffic
        self._credentials = credentials
        self._keep = keep
        """Called before the answer to what may not be forgotten, whatever happens next."""
        self.deduplicates = True
        """Answer a repeated request from memory; off: do it again."""
        self._answers: OrderedDict[tuple[str, str], Message] = OrderedDict()

    def __mapping__(self) -> dict[str, Handler]:
        return {
            path: handler._replace(func=self._serve(path.rsplit("/", 1)[1], handler))
            for path, handler in _Unanswered().__mapping__().items()
        }

    def _serve(self, rpc: str, handler: Handler) -> Any:
        methods = [getattr(area, rpc) for area in self._areas if hasattr(area, rpc)]
        streams = handler.cardinality is Cardinality.UNARY_STREAM

        async def serve(stream: Stream[Any, Any]) -> None:
            request = await stream.recv_message()
            caller = self._caller(stream.metadata or {})
            self._traffic.note(rpc, caller)
            if not methods:
                logger.warning("the test server has no %s", rpc)
                raise GRPCError(Status.UNIMPLEMENTED, f"the test server has no {rpc}")
            self._check_token(stream.metadata or {}, caller)
            after = await self._before(rpc, caller)
            try:
                if streams:
                    await self._send_all(stream, methods[0](request, caller))
                    return
                reply = await self._answer(rpc, methods[0], request, caller)
            except GRPCError:
                raise
            except Exception:
                logger.exception("the test server failed at %s", rpc)
                raise
            await self._lose(after)
            await stream.send_message(reply)

        return serve

    @staticmethod
    def _caller(metadata: Mapping[str, Any]) -> Caller:
        return Caller(
            task_id=str(metadata.get(TASK_HEADER, "")),
            idempotency_key=str(metadata.get("x-idempotency-key", "")),
        )

    def _check_token(self, metadata: Mapping[str, Any], caller: Caller) -> None:
        if caller.task_id:
            return
        given = (metadata.get("x-modal-token-id"), metadata.get("x-modal-token-secret"))
        client_type = str(metadata.get("x-modal-client-type", ""))
        if client_type == str(api_pb2.CLIENT_TYPE_CONTAINER):
            raise GRPCError(Status.UNAUTHENTICATED, "a container without its task header")
        if self._faults.reject_tokens or given != self._credentials:
            raise GRPCError(Status.UNAUTHENTICATED, "Token rejected by the test server")

    async def _before(self, rpc: str, caller: Caller) -> float | GRPCError | None:
        """Apply what goes wrong before; return what goes wrong after, or for how long."""
        after: float | GRPCError | None = None
        for rule in self._faults.take(rpc, caller.side):
            if rule.kind == "delay":
                await asyncio.sleep(rule.seconds)
            elif rule.kind == "fail":
                raise GRPCError(rule.status, rule.message)
            elif rule.kind == "drop":
                after = GRPCError(rule.status, rule.message)
            else:
                after = rule.seconds if rule.kind == "late" else 3600.0
        return after

    @staticmethod
    async def _lose(after: float | GRPCError | None) -> None:
        if isinstance(after, GRPCError):
            raise after
        if after is not None:
            await asyncio.sleep(after)

    async def _answer(self, rpc: str, method: Any, request: Message, caller: Caller) -> Message:
        key = (rpc, caller.idempotency_key)
        remembers = self.deduplicates and rpc in DEDUPLICATED_RPCS and caller.idempotency_key
        if remembers and key in self._answers:
            return self._answers[key]
        reply = await method(request, caller)
        if rpc in DEDUPLICATED_RPCS:
            self._keep()
        if remembers:
            self._answers[key] = reply
            while len(self._answers) > 2_000:
                self._answers.popitem(last=False)
        return reply

    @staticmethod
    async def _send_all(stream: Stream[Any, Any], replies: AsyncIterator[Message]) -> None:
        async for reply in replies:
            await stream.send_message(reply)
