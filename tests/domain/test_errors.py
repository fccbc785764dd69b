"""The tree of errors is an interface: names, bases and plain data."""

import copy
import json
import pickle

import pytest

from tiomagic_domain import errors
from tiomagic_domain.errors import Problem, TioMagicError, ValidationError

TREE = {
    "UnknownModelError": ("TioMagicError", LookupError),
    "UnknownProviderError": ("TioMagicError", LookupError),
    "ValidationError": ("TioMagicError", ValueError),
    "ConfigurationError": ("TioMagicError", Exception),
    "ImplementationError": ("ConfigurationError", Exception),
    "MissingDependencyError": ("ImplementationError", ImportError),
    "AuthenticationError": ("TioMagicError", Exception),
    "APIError": ("TioMagicError", Exception),
    "RateLimitError": ("APIError", Exception),
    "DeploymentError": ("TioMagicError", Exception),
    "GenerationError": ("TioMagicError", Exception),
    "GenerationCanceledError": ("GenerationError", Exception),
    "JobExecutionError": ("TioMagicError", Exception),
    "JobTimeoutError": ("JobExecutionError", TimeoutError),
    "ResourceNotFoundError": ("TioMagicError", LookupError),
    "ProcessingError": ("TioMagicError", Exception),
    "InvalidTransitionError": ("TioMagicError", Exception),
    "StaleJobError": ("TioMagicError", Exception),
    "LeaseLostError": ("TioMagicError", Exception),
}


def test_the_tree_is_complete():
    """Every error of the module is in the tree that this test states, and the reverse."""
    defined = {
        name
        for name, item in vars(errors).items()
        if isinstance(item, type) and issubclass(item, TioMagicError)
    }
    assert defined == {"TioMagicError", *TREE}


@pytest.mark.parametrize("name", TREE)
def test_an_error_is_what_its_callers_would_guess(name):
    """Each error has its place in the tree, and the builtin base that a caller would catch."""
    error, (parent, builtin) = getattr(errors, name), TREE[name]
    assert issubclass(error, getattr(errors, parent))
    assert issubclass(error, builtin)


@pytest.mark.parametrize("name", ["TioMagicError", *TREE])
def test_an_error_is_plain_data(name):
    """Each error has a message, details and a dict that JSON takes, and survives a copy."""
    error = getattr(errors, name)("it broke", details={"job_id": "a"})
    assert (str(error), error.message) == ("it broke", "it broke")
    told = json.loads(json.dumps(error.to_dict()))
    assert told["error"] == name
    assert told["message"] == "it broke"
    assert told["details"] == {"job_id": "a"}
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert twin.to_dict() == error.to_dict()


def test_codes_do_not_collide():
    """A program can tell errors apart by their code alone."""
    codes = [getattr(errors, name).code for name in TREE]
    assert len(set(codes)) == len(codes)


def test_a_code_can_be_more_precise():
    """A single error may carry a code of its own, and say that trying again may help."""
    error = errors.APIError("gone", code="answer_lost", retryable=True)
    assert (error.code, error.retryable) == ("answer_lost", True)
    assert errors.RateLimitError("slow down").retryable
    assert not errors.APIError("no").retryable


def test_problems_are_part_of_the_data():
    """A validation error carries each problem, for people and for programs."""
    problem = Problem(field="seed", message="must be a number", given="'x'", nearest=7)
    error = ValidationError.of([problem], subject="this")
    assert error.problems == (problem,)
    assert error.details["problems"] == [problem.to_dict()]
    assert ValidationError("no").details == {}
