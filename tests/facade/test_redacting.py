"""Secrets leave the errors of a provider, and the errors stay what they are."""

import errno

import av
import pytest

from tiomagic.wiring.redacting_provider import redact_errors

SECRET = "s3cr3t-of-a-folder"


@pytest.mark.parametrize("kind", [OSError, av.error.OSError])
def test_an_error_of_a_file_is_redacted_whatever_its_class(kind):
    """PyAV's errors let no attribute be set: a full disk is said as such all the same."""
    error = kind(errno.ENOSPC, "No space left", f"/tmp/{SECRET}/a.mp4")
    with pytest.raises(OSError, match="No space left") as caught, redact_errors(lambda: {SECRET}):
        raise error
    assert caught.value is error
    assert caught.value.errno == errno.ENOSPC
    assert SECRET not in f"{error} {error!r} {error.filename}"
