"""The process beside this one that is Ray's driver, and requests to it.

It is started at the first request, and again when it has ended: Ray ends a driver that has lost its
cluster for a minute. Only it has the token, in its environment.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import socket
import subprocess
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import MappingProxyType
from typing import IO, Any, Final

from tiomagic_domain import errors
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError, TioMagicError
from tiomagic_domain.interpreter import import_path, module_command, safe_environment
from tiomagic_ray.link.connection_errors import REFUSED_TOKEN, explain, no_cluster
from tiomagic_ray.link.loopback import ON_LOOPBACK, is_on_loopback_alone
from tiomagic_ray.options import RayOptions
from tiomagic_ray.tokens import look_for_token

MODULE: Final = "tiomagic_ray.cluster.driver"
CONNECT_S: Final = 60.0
"""Ray itself gives up after 20 to 30 s."""
REQUEST_S: Final = 45.0
"""A little more than the driver itself waits for an answer, twice."""
REACH_S: Final = 5.0
"""How long the address may take to accept a connection."""
UNANSWERED: Final = 2
"""So many requests without an answer, one after the other, and a driver is started anew."""
KEPT_LINES: Final = 40


class ClusterConnection:
    """A connection to a cluster. Thread-safe.

    Args:
        options: With the address and the token.
        request_s: How long a request may take.
    """

    def __init__(self, options: RayOptions, *, request_s: float = REQUEST_S) -> None:
        self._options = options
        self._request_s = request_s
        self._lock = threading.Lock()
        self._driver: DriverProcess | None = None

    @property
    def is_open(self) -> bool:
        """True while there is a driver."""
        driver = self._driver
        return driver is not None and driver.is_alive

    def ask(self, name: str, *arguments: Any, waits_s: float | None = None, **named: Any) -> Any:
        """Return the driver's answer; connects first if there is no connection.

        Args:
            name: Of the driver's method.
            arguments: Of the method.
            waits_s: How long to wait for it; None for the usual time.
            named: Of the method.

        Raises:
            AuthenticationError, ConfigurationError: when it cannot be connected to, see the codes.
            APIError: retryable, when the cluster cannot be reached.
            TioMagicError: as the cluster raised it.
        """
        driver = self._connected()
        waits_s = self._request_s if waits_s is None else waits_s
        try:
            answer = driver.ask(waits_s, name, *arguments, **named)
        except DriverGoneError:
            raise _unreachable("Ray's driver ended: the cluster was lost") from None
        except NoAnswer:
            self._give_up(driver)
            raise _unreachable(f"no answer within {waits_s:g} s") from None
        except APIError as error:
            if error.code == ErrorCode.UNREACHABLE:
                self._give_up(driver)
            raise
        driver.unanswered = 0
        return answer

    def coordinator(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Return the answer of the cluster's coordinator; see `ask`."""
        return self.ask("coordinator", method, *arguments, **named)

    def close(self) -> None:
        """End the driver, if there is one."""
        with self._lock:
            if self._driver is not None:
                self._driver.close()
                self._driver = None

    def _give_up(self, driver: DriverProcess) -> None:
        """End a driver that has had no answers, so that the next request connects anew.

        A driver of a head that has ended takes one that was started at the same address for its
        own, and asks it for ever for actors that it never had.
        """
        driver.unanswered += 1
        with self._lock:
            if driver.unanswered >= UNANSWERED and self._driver is driver:
                self._driver = None
                driver.close()

    def _connected(self) -> DriverProcess:
        with self._lock:
            if self._driver is None or not self._driver.is_alive:
                self._driver = None
                self._driver = self._connect()
            return self._driver

    def _connect(self) -> DriverProcess:
        options = self._options
        options.check()
        if options.endpoint is not None:
            _reach(options.ray_address, options.endpoint)
        driver = DriverProcess(options.token, ON_LOOPBACK if is_on_loopback_alone(options) else {})
        try:
            driver.ask(CONNECT_S, "connect", options.ray_address)
        except (DriverGoneError, NoAnswer) as error:
            driver.close()
            reason = str(error) or f"no answer within {CONNECT_S:g} s"
            raise self._explain(reason, driver) from None
        except TioMagicError as error:
            driver.close()
            raise self._explain(error.message, driver) from None
        return driver

    def _explain(self, reason: str, driver: DriverProcess) -> TioMagicError:
        has_token = bool(look_for_token(self._options).is_there)
        return explain(self._options.ray_address, reason, driver.printed, has_token=has_token)


class DriverGoneError(Exception):
    """The driver has ended."""


class DriverProcess:
    """A driver's process, and the pipe to it.

    Args:
        token: The cluster's token, for its environment.
        more: Of the environment.
    """

    def __init__(self, token: str | None, more: Mapping[str, str] = MappingProxyType({})) -> None:
        self._pipe, theirs = Pipe()
        environment = safe_environment(os.environ, path=import_path()) | dict(more)
        if token is not None:
            environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
        # The address comes by the pipe: Ray would take this one for every "auto".
        environment["RAY_DISABLE_IMPORT_WARNING"] = "1"
        # A caller under `uv run` would have Ray send its whole folder to the cluster, and make an
        # environment of it there for each worker: the cluster has tiomagic installed.
        environment["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
        self._process = subprocess.Popen(  # noqa: S603  Our own module.
            module_command(MODULE, str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # Ctrl-C at the terminal is for the caller: a check that is under way may end.
            start_new_session=True,
        )
        theirs.close()
        self._numbers = itertools.count()
        self._waiting: dict[int, Future[Any]] = {}
        self._sending = threading.Lock()
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.unanswered = 0
        _open.add(self)
        assert self._process.stderr is not None, "it was asked for"
        threading.Thread(target=self._read_lines, args=(self._process.stderr,), daemon=True).start()
        threading.Thread(target=self._read_answers, args=(self._pipe,), daemon=True).start()

    @property
    def is_alive(self) -> bool:
        """True while it answers."""
        return self._process.poll() is None and not self._pipe.closed

    @property
    def printed(self) -> str:
        """The last lines that it has printed."""
        return "\n".join(self._lines)

    def ask(self, within_s: float, name: str, *arguments: Any, **named: Any) -> Any:
        """Return the answer to a request.

        Raises:
            DriverGoneError: when the driver ended.
            TimeoutError: when it did not answer in time.
            TioMagicError: as it was raised on the other side.
        """
        number, future = next(self._numbers), Future[Any]()
        self._waiting[number] = future
        try:
            try:
                with self._sending:
                    self._pipe.send((number, name, arguments, named))
            except (OSError, ValueError):
                raise DriverGoneError("the driver has ended") from None
            is_fine, said = future.result(within_s)
        finally:
            self._waiting.pop(number, None)
        if not is_fine:
            raise rebuild_error(said)
        return said

    def close(self) -> None:
        """End it."""
        _open.discard(self)
        with contextlib.suppress(OSError):
            self._pipe.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()

    def _read_answers(self, pipe: Connection) -> None:
        while True:
            try:
                number, is_fine, said = pipe.recv()
            except (EOFError, OSError, TypeError):
                break
            future = self._waiting.get(number)
            if future is not None and not future.done():
                future.set_result((is_fine, said))
        self._fail_all("the driver has ended")

    def _read_lines(self, stream: IO[bytes]) -> None:
        for line in stream:
            text = line.decode(errors="replace").rstrip()
            self._lines.append(text)
            if REFUSED_TOKEN.search(text):
                # Ray tries again for 20 s, with the same token.
                self._fail_all("the token is refused")
        stream.close()

    def _fail_all(self, reason: str) -> None:
        for future in list(self._waiting.values()):
            if not future.done():
                future.set_exception(DriverGoneError(reason))


_open: weakref.WeakSet[DriverProcess] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for driver in list(_open):
        driver.close()


def _reach(address: str, endpoint: tuple[str, int]) -> None:
    """Raise if nothing listens at the address: Ray itself takes half a minute to see that."""
    try:
        socket.create_connection(endpoint, REACH_S).close()
    except OSError as error:
        raise no_cluster(address, error.strerror or str(error)) from error


def rebuild_error(said: dict[str, Any]) -> TioMagicError:
    """Return the error that was raised on the other side."""
    kind = getattr(errors, str(said["kind"]), None)
    known = {"details": said.get("details", {}), "code": said["code"]}
    if isinstance(kind, type) and issubclass(kind, APIError):
        return kind(said["message"], **known, retryable=bool(said.get("retryable")))
    if isinstance(kind, type) and issubclass(kind, TioMagicError):
        return kind(said["message"], **known)
    return TioMagicError(said["message"], **known)


def _unreachable(reason: str) -> APIError:
    return APIError(
        f"the Ray cluster cannot be reached ({reason}). Nothing is lost: jobs go on, and the next "
        "check asks again",
        details={"reason": reason},
        code=ErrorCode.UNREACHABLE,
        retryable=True,
    )
