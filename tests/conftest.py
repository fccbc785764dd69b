"""What holds for every test."""

import gc
import logging
import os
import sys
import tempfile

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:
    # Processes side by side that each use every core wait for one another; read when torch starts.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Large tensors come and go with each layer. Memory that goes back to the kernel each time is filled
# with zeros again, page by page: up to a third of the time of a tiny pipeline. Read when a process
# starts: those of xdist, and those that tests start.
for variable in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
    os.environ.setdefault(variable, str(2**30))

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("tiomagic", deadline=None)
settings.load_profile("tiomagic")


MANY_MODULES = 100
"""So many more, and the garbage collector is spared them; a pipeline brings some 3,000."""
spared_modules = 0


def spare_modules():
    """Spare the garbage collector what lives until the end: the modules and thousands of tests."""
    global spared_modules  # noqa: PLW0603 - of the process, as what is spared
    spared_modules = len(sys.modules)
    gc.collect()
    gc.freeze()


def pytest_collection_finish():
    """Spare it the tests, and what they import as they are read."""
    spare_modules()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol():
    """Spare it what a test has imported.

    A runtime collects garbage whenever it drops a model: a quarter of a second with the libraries
    of a pipeline, and milliseconds without them.
    """
    result = yield
    if len(sys.modules) >= spared_modules + MANY_MODULES:
        spare_modules()
    return result


@pytest.fixture(autouse=True)
def own_runtime_folder(monkeypatch):
    """No test waits for the devices that another one, or a worker that it left, has locked."""
    with tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.fixture(autouse=True)
def own_logging():
    """The command line configures tiomagic's logger for its process, which here has more tests.

    pytest listens at a logger that does not propagate, and at the root: a test that lets it
    propagate again would hear everything twice.
    """
    logger = logging.getLogger("tiomagic")
    before = list(logger.handlers), logger.level, logger.propagate
    yield
    logger.handlers[:], logger.level, logger.propagate = before
