"""Several providers for one call: the first that can run it, as long as nothing has been spent.

::

    passed over, and the next one is tried        the end
    ────────────────────────────────────────      ─────────────────────────────────────────────
    no GPU, not enough memory (also found out     an argument that is not legal: each would
    by a run on this machine)                     refuse it
    no key, or one that is refused                terms that are not accepted
    a package that is not installed               a submission whose answer was lost: it may run,
    the model is not offered there                and is looked up, never sent again
    it cannot read a file of the call             anything that failed after the submission was
    over ``max_cost`` or a budget                 accepted
    the service is down, before it has
    accepted anything
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    DeploymentError,
    GenerationError,
    TioMagicError,
    UnknownModelError,
)

PASSED_OVER: Final = "passed_over"
"""Fact of a job: the providers that were to run it and could not, as ``PassedOver.to_dict``."""

_PASSING: Final = (
    UnknownModelError,
    ConfigurationError,
    AuthenticationError,
    DeploymentError,
)
_SPENT: Final = frozenset({ErrorCode.ANSWER_LOST, ErrorCode.OUTCOME_UNKNOWN, ErrorCode.DUPLICATE})
"""Codes of a submission that may have started something."""
_FINAL: Final = frozenset(
    {ErrorCode.TERMS_NOT_ACCEPTED, ErrorCode.NO_BACKGROUND, ErrorCode.NO_WORKING_DIR}
)
"""Codes of what every provider would refuse alike; those of the job database are others."""
_DEVICE: Final = frozenset(
    {ErrorCode.OUT_OF_MEMORY, ErrorCode.DEVICE_LOST, ErrorCode.DEVICE_MISSING}
)
"""Codes of runs that the devices of this machine were not enough for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A provider that was to run a call and could not."""

    provider: str
    code: str
    """The code of its error."""
    reason: str
    """For people: what its error says first."""
    job_id: str | None = None
    """The job that failed there; None when none was stored."""

    @classmethod
    def of(cls, provider: str, error: TioMagicError) -> PassedOver:
        """Return a provider with the reason that its error gives."""
        job_id = error.details.get("job_id")
        return cls(
            provider=provider,
            code=error.code,
            reason=cut_not_run(_first_reason(error.message), provider),
            job_id=job_id if isinstance(job_id, str) else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "provider": self.provider,
            "code": self.code,
            "reason": self.reason,
            "job_id": self.job_id,
        }


def cut_not_run(message: str, provider: str) -> str:
    """Return why a provider did not run a call, without the words that it did not."""
    return message.partition(f" was not run on {provider}: ")[2] or message


def _first_reason(message: str) -> str:
    """Return the first line of a message; with the first of its list, if it ends with one."""
    first, _, rest = message.strip().partition("\n")
    if not first.endswith(":"):
        return first
    listed = rest.partition("\n")[0].strip().removeprefix("- ")
    return f"{first} {listed}" if listed else first.rstrip(":")


def ignore_passed(passed: PassedOver) -> None:
    """Take a provider that was passed over and do nothing."""


def may_pass_over(error: TioMagicError) -> bool:
    """Return whether the next provider may be tried after an error: nothing has been spent."""
    if error.code in _SPENT or error.code in _FINAL or error.code.startswith("database"):
        return False
    if isinstance(error, GenerationError):
        return error.code in _DEVICE
    if error.code == ErrorCode.FILE_NOT_TAKEN:
        return True
    return isinstance(error, _PASSING) or (isinstance(error, APIError) and error.retryable)


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One provider's turn, as a ``with`` block: an error that may be passed over ends only it."""

    provider: str
    passed: tuple[PassedOver, ...]
    """Those that were passed over before it."""
    is_alone: bool
    """True for the only provider of a call, whose error is the call's."""
    error: TioMagicError | None = None
    """Why it is passed over."""

    def __enter__(self) -> Self:
        """Begin the turn."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Keep an error that the next provider may do without."""
        if self.is_alone or not isinstance(error, TioMagicError) or not may_pass_over(error):
            return False
        self.error = error
        return True


def try_in_order(
    providers: Sequence[str], on_passed: Callable[[PassedOver], None]
) -> Iterator[Attempt]:
    """Yield the turn of each provider, in order, until one returns from its ``with`` block.

    Args:
        providers: Their names; at least one.
        on_passed: Called with each that is passed over.

    Raises:
        TioMagicError: with the code ``all_passed_over`` when none of several could run it.
    """
    passed: list[PassedOver] = []
    last: TioMagicError | None = None
    for name in providers:
        attempt = Attempt(provider=name, passed=tuple(passed), is_alone=len(providers) == 1)
        yield attempt
        last = attempt.error
        if last is not None:
            passed.append(PassedOver.of(name, last))
            on_passed(passed[-1])
    assert last is not None, "a turn without an error ends the loop of its caller"
    raise _fail_all(passed, last) from last


def _fail_all(passed: Sequence[PassedOver], last: TioMagicError) -> TioMagicError:
    if all(one.code == ErrorCode.UNKNOWN_MODEL for one in passed):
        return last  # The name is wrong everywhere: its own error says what is near it.
    listed = "".join(f"\n  - {one.provider}: {one.reason}" for one in passed)
    return ConfigurationError(
        f"none of the providers can run it:{listed}",
        details={PASSED_OVER: [one.to_dict() for one in passed]},
        code=ErrorCode.ALL_PASSED_OVER,
    )


def describe_passed_over(facts: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each provider that a job's facts say was passed over."""
    found = facts.get(PASSED_OVER)
    return [
        f"{one['provider']} was passed over: {one['reason']}"
        for one in (found if isinstance(found, list) else [])
        if isinstance(one, Mapping) and {"provider", "reason"} <= one.keys()
    ]
