"""The processes of the other devices: they stay, end, die and hang, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.local.parallel.bench import I2V, PICTURE, T2V, Stop, at_step, gone, make, pids

from tiomagic_domain.errors import (
    ConfigurationError,
    GenerationCanceledError,
    GenerationError,
)
from tiomagic_local.context_parallel import workers
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime

if TYPE_CHECKING:
    from tests.local.materials import Materials


class TestTheRanks:
    def test_stay_for_the_next_job_until_another_runtime_takes_over(
        self, pair: Runtime, folder: Path, studio: Materials
    ) -> None:
        """The next video needs no new processes, of whatever model.

        A process has one group; the one that is not in use makes room. Unloading ends the ranks.
        """
        make(pair, studio.request(T2V))
        before = pids(pair)
        make(pair, studio.request(T2V, seed=8))
        make(pair, studio.request(I2V, PICTURE))
        assert pids(pair) == before
        (pid,) = before
        other = Runtime(LocalOptions(weights_dir=folder, device="cpu,cpu"))
        _, facts = make(other, studio.request(T2V))
        assert "refused" not in facts["parallel"]
        assert gone(pid)
        (pid,) = pids(other)
        other.unload()
        assert gone(pid)

    def test_a_stopped_job_leaves_none(
        self, pair: Runtime, single: Runtime, studio: Materials
    ) -> None:
        """A job that is canceled in its middle ends them, and the next one has new ones."""
        request, stop = studio.request(T2V, num_inference_steps=6), Stop()
        make(pair, studio.request(T2V))
        (pid,) = pids(pair)
        with pytest.raises(GenerationCanceledError):
            make(pair, request, at_step(2, stop.set), stop)
        assert pids(pair) == []
        assert gone(pid)
        expected, _ = make(single, request)
        found, facts = make(pair, request)
        assert "refused" not in facts["parallel"]
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1

    def test_one_that_dies_fails_the_job(self, pair: Runtime, studio: Materials) -> None:
        """A rank that is killed is an error that names its device, and the next job works."""
        make(pair, studio.request(T2V))
        (pid,) = pids(pair)
        kill = at_step(2, lambda: os.kill(pid, signal.SIGKILL))
        with pytest.raises(GenerationError, match="has ended") as caught:
            make(pair, studio.request(T2V, num_inference_steps=50), kill)
        assert caught.value.code == "rank_lost"
        assert caught.value.details["status"] == -signal.SIGKILL
        make(pair, studio.request(T2V))
        assert pids(pair) != [pid]

    def test_one_that_hangs_fails_the_job_and_one_that_fails_says_why(
        self,
        pair: Runtime,
        studio: Materials,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A rank that neither goes on nor ends does not stop the job for ever.

        What goes wrong in the next one is the job's error, in its own words and code.
        """
        make(pair, studio.request(T2V))
        (pid,) = pids(pair)
        stop = at_step(2, lambda: os.kill(pid, signal.SIGSTOP))
        with monkeypatch.context() as patched:
            patched.setattr(workers, "STALL_TIMEOUT_S", 1.0)
            with pytest.raises(GenerationError, match="not come further") as caught:
                make(pair, studio.request(T2V, num_inference_steps=50), stop)
        assert caught.value.code == "rank_stuck"
        assert gone(pid)
        place = folder / T2V / "transformer"
        place.rename(folder / "elsewhere")
        try:
            with pytest.raises(GenerationError, match="cannot be loaded") as caught:
                make(pair, studio.request(T2V))
        finally:
            (folder / "elsewhere").rename(place)
        assert caught.value.code == ConfigurationError.code
        assert pids(pair) == []

    def test_one_that_cannot_read_fails_the_job(self, pair: Runtime, studio: Materials) -> None:
        """A message that means nothing to another rank ends it at once."""
        make(pair, studio.request(T2V))
        (member,) = pair._leader._band._members  # type: ignore[union-attr]
        member.connection.send_bytes(b"no pickle")
        assert gone(member.process.pid)
        make(pair, studio.request(T2V))
        assert pids(pair) != [member.process.pid]

    def test_they_end_with_their_parent(self, folder: Path) -> None:
        """A process that is killed in the middle of a video leaves nobody behind."""
        script = textwrap.dedent(
            """
            import os, signal, sys
            from pathlib import Path
            import torch
            from tests.local.materials import Materials
            from tests.local.parallel.bench import at_step, make, pids
            from tiomagic_local.options import LocalOptions
            from tiomagic_local.runtime.pipeline_cache import Runtime

            torch.set_num_threads(1)
            runtime = Runtime(LocalOptions(weights_dir=Path(sys.argv[1]), device="cpu,cpu"))

            def die():
                print(*pids(runtime), flush=True)
                os.kill(os.getpid(), signal.SIGKILL)

            studio = Materials(Path(sys.argv[2]))
            make(runtime, studio.request(num_inference_steps=50), at_step(2, die))
            """
        )
        ended = subprocess.run(
            [sys.executable, "-c", script, str(folder), str(folder / "inputs")],
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            timeout=280,
        )
        assert ended.returncode == -signal.SIGKILL
        (pid,) = map(int, ended.stdout.split())
        assert gone(pid)
