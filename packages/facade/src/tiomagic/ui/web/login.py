"""The login: who may enter, a session cookie, and a limit on wrong answers.

After some wrong answers an address must wait, longer each time, and all addresses together have a
limit a minute. Each wrong answer is logged, without its content.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from tiomagic.display.journal import get_logger

FREE_TRIES: Final = 3
"""Wrong answers of an address before it must wait."""
MAX_WAIT_S: Final = 60.0
"""Longest wait of an address in seconds; the wait doubles from one second on."""
MAX_FAILURES_PER_MINUTE: Final = 30
"""Most wrong answers a minute of all addresses together."""
FAILURES_EXPIRE_S: Final = 15 * 60.0
"""Seconds after which the wrong answers of an address are forgotten."""
MAX_ADDRESSES: Final = 10_000
"""Most remembered addresses; the least recent one is forgotten."""
SESSION_IDLE_TIMEOUT_S: Final = 7 * 24 * 3600.0
"""Seconds after which a login without requests expires."""
SESSION_LIFETIME_S: Final = 30 * 24 * 3600.0
"""Seconds after which every login expires."""
MAX_SESSIONS: Final = 500
"""Most logins at once; the oldest one ends."""


class LoginThrottledError(Exception):
    """Too many wrong answers.

    Args:
        seconds: How long to wait.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"wait {seconds:.0f} s")
        self.seconds = seconds


class LoginDeniedError(Exception):
    """A right answer of somebody who may not enter, with what to do."""


class Credentials(Protocol):
    """Who may enter. Thread-safe."""

    asks_for_key: bool
    """True for a form with a key alone, False for one with user and password."""

    def is_needed(self) -> bool:
        """Return whether the page asks for a login now."""
        ...

    def identify(self, user: str, password: str) -> str | None:
        """Return who has given an answer; None for a wrong one. The time reveals nothing.

        Raises:
            LoginDeniedError: when they may not enter.
        """
        ...

    def is_valid(self, who: str) -> bool:
        """Return whether someone who was identified may still enter."""
        ...


class PasswordCredentials:
    """One user with a password.

    Args:
        user: The user's name.
        password: Their password.
    """

    asks_for_key = False

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = _bytes(user), _bytes(password)

    def is_needed(self) -> bool:
        """Return True: a page has a password or has none."""
        return True

    def identify(self, user: str, password: str) -> str | None:
        """Return the user for the right answer."""
        # Both are always compared, so that the time reveals nothing.
        right = hmac.compare_digest(_bytes(user), self._user) & hmac.compare_digest(
            _bytes(password), self._password
        )
        return user if right else None

    def is_valid(self, who: str) -> bool:
        """Return True: the password stays while the page runs."""
        del who
        return True


@dataclass(slots=True)
class _Failures:
    count: int
    last: float


@dataclass(slots=True)
class _Session:
    who: str
    begun: float
    seen: float


class Login:
    """Checks logins and remembers their tokens. Thread-safe.

    Args:
        credentials: Who may enter.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, credentials: Credentials, clock: Callable[[], float]) -> None:
        self.credentials = credentials
        self._clock = clock
        self._failures: dict[str, _Failures] = {}
        # If it is full, its oldest entry decides how long all addresses wait.
        self._recent: deque[float] = deque(maxlen=MAX_FAILURES_PER_MINUTE)
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def log_in(self, user: str, password: str, address: str) -> str | None:
        """Return the token of a new login; None for a wrong answer.

        Args:
            user: The entered name.
            password: The entered password.
            address: Of the client.

        Raises:
            LoginThrottledError: when there were too many wrong answers; this one was not checked.
            LoginDeniedError: when the answer is right, and whoever gave it may not enter.
        """
        with self._lock:
            now = self._clock()
            wait = self._wait(address, now)
            if wait > 0:
                get_logger().warning("ui.login_slowed", address=address, seconds=round(wait, 1))
                raise LoginThrottledError(wait)
            try:
                who = self.credentials.identify(user, password)
            except LoginDeniedError:
                self._failed(address, now)
                raise
            if who is None:
                self._failed(address, now)
                return None
            self._failures.pop(address, None)
            get_logger().info("ui.login", address=address)
            return self._begin(who, now)

    def is_logged_in(self, token: str | None) -> bool:
        """Return whether a token belongs to a valid login."""
        if token is None:
            return False
        with self._lock:
            now = self._clock()
            session = self._sessions.pop(token, None)
            if (
                session is None
                or now - session.seen > SESSION_IDLE_TIMEOUT_S
                or now - session.begun > SESSION_LIFETIME_S
                or not self.credentials.is_valid(session.who)
            ):
                return False
            session.seen = now
            self._sessions[token] = (
                session  # Moved to the end, so that the first one is the oldest.
            )
            return True

    def log_out(self, token: str | None) -> None:
        """Forget a login."""
        with self._lock:
            self._sessions.pop(token or "", None)

    def _begin(self, who: str, now: float) -> str:
        # A dict keeps its order, and each use moves a login to the end.
        while len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        # 256 random bits cannot be guessed.
        token = secrets.token_urlsafe(32)
        self._sessions[token] = _Session(who, now, now)
        return token

    def _wait(self, address: str, now: float) -> float:
        failures = self._failures.get(address)
        own = 0.0
        if failures is not None and failures.count >= FREE_TRIES:
            # The exponent is bounded: 2**10 is far above the maximum.
            pause = min(MAX_WAIT_S, 2.0 ** min(failures.count - FREE_TRIES, 10))
            own = failures.last + pause - now
        full = len(self._recent) == MAX_FAILURES_PER_MINUTE
        return max(own, self._recent[0] + 60 - now if full else 0.0)

    def _failed(self, address: str, now: float) -> None:
        self._recent.append(now)
        before = self._failures.pop(address, None)
        count = before.count + 1 if before and now - before.last < FAILURES_EXPIRE_S else 1
        while len(self._failures) >= MAX_ADDRESSES:
            del self._failures[next(iter(self._failures))]
        self._failures[address] = _Failures(count, now)
        get_logger().warning("ui.login_failed", address=address, failures=count)


def _bytes(text: str) -> bytes:
    # compare_digest takes only bytes or ASCII; a browser may send lone surrogates.
    return text.encode("utf-8", "surrogatepass")
