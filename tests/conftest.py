"""What holds for every test."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # Processes side by side that each use every core wait for one another; read when torch starts.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
