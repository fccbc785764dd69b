"""Every exception of Modal's has its own handling."""

import inspect
from dataclasses import replace

import pytest

import modal
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    DeploymentError,
    GenerationCanceledError,
    GenerationError,
    JobTimeoutError,
    RateLimitError,
    ResourceNotFoundError,
    TioMagicError,
)
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_modal.errors import (
    ERROR_MAKERS,
    UNTRANSLATED_ERRORS,
    UNUSED_ERRORS,
    translate_error,
    translate_modal_errors,
)
from tiomagic_modal.outcomes import CANCELED_REPORT, report_outcome
from tiomagic_modal.wire import WorkerError, pack_error

EXCEPTIONS = {
    name: kind
    for name, kind in vars(modal.exception).items()
    if inspect.isclass(kind)
    and issubclass(kind, BaseException)
    and not issubclass(kind, Warning)
    and kind.__module__ == "modal.exception"
    and not name.startswith("_")
}


def make(name, text="some text"):
    kind = EXCEPTIONS[name]
    return kind(text, "im-1") if name == "ImageBuildError" else kind(text)


def test_no_class_of_modals_is_unmapped():
    """A new version of Modal's client with a new exception fails here, and not in a user's job."""
    assert set(EXCEPTIONS) - set(ERROR_MAKERS) - UNUSED_ERRORS - UNTRANSLATED_ERRORS == set()


def test_the_tables_name_only_classes_that_exist():
    assert (set(ERROR_MAKERS) | UNUSED_ERRORS | UNTRANSLATED_ERRORS) <= set(EXCEPTIONS)


@pytest.mark.parametrize(
    ("name", "expected", "code", "retryable"),
    [
        ("AuthError", AuthenticationError, "bad_token", False),
        ("PermissionDeniedError", AuthenticationError, "permission_denied", False),
        ("NotFoundError", ResourceNotFoundError, "not_found", False),
        ("OutputExpiredError", ResourceNotFoundError, "expired", False),
        ("FunctionTimeoutError", JobTimeoutError, "function_timeout", False),
        ("RemoteError", GenerationError, "remote", False),
        ("ImageBuildError", DeploymentError, "image_build", False),
        ("ExecutionError", GenerationError, "unreadable_result", False),
        ("InternalFailure", GenerationError, "lost_input", False),
        ("ResourceExhaustedError", RateLimitError, "rate_limited", True),
        ("ConnectionError", APIError, "unavailable", True),
        ("ServiceError", APIError, "unavailable", True),
        ("VersionError", ConfigurationError, "modal_too_old", False),
        ("InvalidError", ConfigurationError, "refused", False),
        ("ConflictError", APIError, "api_error", False),
        ("ModuleNotMountable", DeploymentError, "deployment", False),
    ],
)
def test_each_becomes_what_the_table_says(name, expected, code, retryable):
    with pytest.raises(expected, match="some text") as caught, translate_modal_errors("do it"):
        raise make(name)
    assert type(caught.value) is expected
    assert (caught.value.code, caught.value.retryable) == (code, retryable)


@pytest.mark.parametrize("name", sorted(set(EXCEPTIONS) - UNTRANSLATED_ERRORS))
def test_every_class_becomes_one_of_ours(name):
    assert isinstance(translate_error(make(name), "do it"), TioMagicError)


def test_a_missing_token_says_how_to_get_one():
    error = translate_error(modal.exception.AuthError("Token missing. Could not …"), "connect")
    assert error.code == "no_token"
    assert "modal token new" in error.message


def test_a_broken_connection_below_modals_classes_can_be_tried_again():
    assert translate_error(ConnectionResetError("reset"), "ask").retryable


def test_bugs_and_cancellations_pass_as_they_are():
    for error in (KeyError("bug"), modal.exception.InputCancellation()):
        with pytest.raises(type(error)), translate_modal_errors("do it"):
            raise error


class TestEndings:
    """From the exception of `get` to what is stored of the job."""

    def test_a_timeout_names_the_setting(self, job):
        report = report_outcome(make("FunctionTimeoutError"), job, asked_to_stop=False)
        assert report.status is JobStatus.FAILED
        assert "change the setting timeout" in report.error
        assert "1800" in report.error

    @pytest.mark.parametrize(
        "text", ["Container killed due to memory usage", "OOM", "CUDA out of memory. Tried …"]
    )
    def test_memory_that_ran_out_names_a_gpu_that_would_do(self, job, text):
        for error in (make("RemoteError", text), pack_error(RuntimeError(text))):
            report = report_outcome(error, job, asked_to_stop=False)
            assert report.error_code == "out_of_memory"
            assert "change the setting gpu to 'H200'" in report.error

    def test_memory_of_an_unknown_gpu_names_none(self, job):
        """The answer that had the GPU was lost: better no name than a smaller one."""
        report = report_outcome(
            make("RemoteError", "OOM"), replace(job, facts={}), asked_to_stop=False
        )
        assert "change the setting gpu" in report.error

    def test_our_own_cancel_is_told_from_a_crash(self, job):
        """Modal tells both by a text that nobody promises."""
        assert report_outcome(make("RemoteError"), job, asked_to_stop=True) is CANCELED_REPORT
        assert report_outcome(make("RemoteError"), job, asked_to_stop=False).error_code == "remote"

    def test_a_workers_error_keeps_message_and_code(self, job):
        error = pack_error(GenerationError("the frames are not numbers", code="nan"))
        report = report_outcome(error, job, asked_to_stop=False)
        assert (report.error, report.error_code) == ("the frames are not numbers", "nan")

    def test_a_gated_model_says_where_the_token_goes(self, job):
        error = pack_error(AuthenticationError("'x/y' is gated: accept its licence"))
        report = report_outcome(error, job, asked_to_stop=False)
        assert "modal secret create --force tiomagic-huggingface HF_TOKEN=" in report.error

    def test_a_withdrawn_job_is_canceled(self, job):
        error = pack_error(GenerationCanceledError("withdrawn"))
        assert report_outcome(error, job, asked_to_stop=False) is CANCELED_REPORT

    def test_a_second_call_points_to_the_first(self, job):
        error = pack_error(
            TioMagicError("held", code=ErrorCode.DUPLICATE, details={"call_id": "fc-1"})
        )
        report = report_outcome(error, job, asked_to_stop=False)
        assert (report.status, report.call_id) == (JobStatus.RUNNING, "fc-1")

    def test_an_exception_of_an_unknown_worker_fails_the_job(self, job):
        report = report_outcome(ValueError("old worker"), job, asked_to_stop=False)
        assert (report.status, report.error_code) == (JobStatus.FAILED, "unexpected")

    def test_trouble_with_asking_is_not_the_jobs_end(self, job):
        with pytest.raises(APIError) as caught:
            report_outcome(make("ServiceError"), job, asked_to_stop=False)
        assert caught.value.retryable
        with pytest.raises(AuthenticationError):
            report_outcome(make("AuthError"), job, asked_to_stop=False)


def test_an_unreadable_worker_error_is_still_one():
    assert WorkerError("no json").content["code"] == "worker"
    assert WorkerError().content["kind"] == "WorkerError"
