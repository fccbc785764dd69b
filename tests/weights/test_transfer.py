"""A download stops at once, goes on where it was, and keeps only what the hub listed."""

from __future__ import annotations

import _thread
import errno
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.local.hub_server import Hub, hub_server

from tiomagic_domain.errors import (
    APIError,
    ConfigurationError,
    GenerationCanceledError,
    RateLimitError,
)
from tiomagic_domain.progress import (
    DownloadState,
    EtaEstimator,
    Phase,
    Progress,
    ignore_progress,
)
from tiomagic_local.weights import hub, transfer
from tiomagic_local.weights.hub_cache import PART_SUFFIX

__all__ = ["hub_server"]

BIG, OTHER = "transformer/model.safetensors", "vae/model.safetensors"
CONTENT = bytes(range(256)) * 4096
"""1 MiB."""
FILES = {"config.json": b"{}", BIG: CONTENT, OTHER: CONTENT[::-1]}
HALF = len(CONTENT) // 2


class Cancel:
    """A token that is set from outside."""

    def __init__(self) -> None:
        self.is_set = threading.Event()

    def raise_if_canceled(self) -> None:
        """Raise when it is set."""
        if self.is_set.is_set():
            raise GenerationCanceledError("job 1 was canceled")


def get(cancel: Cancel | None = None, told: list[Progress] | None = None) -> Path:
    """Download the repository."""
    return hub.download_repository(
        "a/b",
        None,
        model="m",
        token=None,
        progress=ignore_progress if told is None else told.append,
        cancel=cancel,
    )


def parts(tmp_path: Path) -> list[Path]:
    """Return the parts of files that are here."""
    return list((tmp_path / "cache").rglob(f"*{PART_SUFFIX}"))


@pytest.fixture
def silent(hub_server: Hub) -> Hub:
    """A hub that falls silent in the middle of two large files."""
    hub_server.publish("a/b", {BIG: CONTENT, OTHER: CONTENT[::-1]})
    hub_server.holds_at = HALF
    return hub_server


@pytest.fixture
def interrupt() -> Iterator[Callable[[], None]]:
    """Ctrl-C, which also works where the shell that started the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield _thread.interrupt_main
    signal.signal(signal.SIGINT, before)


def when_silent(tmp_path: Path, stop: Callable[[], None]) -> None:
    """Call a function when half of each file is here.

    The hub sends nothing after that: a download that returns did not wait for its files.
    """

    def watch() -> None:
        until = time.monotonic() + 30
        while [path.stat().st_size for path in parts(tmp_path)] != [HALF, HALF]:
            assert time.monotonic() < until
            time.sleep(0.01)
        stop()

    threading.Thread(target=watch, daemon=True).start()


class TestStopping:
    def test_ctrl_c_stops_at_once_and_the_next_download_goes_on(
        self, silent: Hub, tmp_path: Path, interrupt: Callable[[], None]
    ) -> None:
        """What is here stays, and not a byte of it is asked for again."""
        when_silent(tmp_path, interrupt)
        with pytest.raises(KeyboardInterrupt) as caught:
            get()
        assert "goes on from there" in caught.value.__notes__[0]
        assert [path.stat().st_size for path in parts(tmp_path)] == [HALF, HALF]
        silent.holds_at = None
        silent.wanted.clear()
        folder = get()
        assert (folder / BIG).read_bytes() == CONTENT
        assert (folder / OTHER).read_bytes() == CONTENT[::-1]
        assert silent.wanted[BIG] + silent.wanted[OTHER] == len(CONTENT)
        assert parts(tmp_path) == []

    def test_a_cancel_stops_at_once(self, silent: Hub, tmp_path: Path) -> None:
        """The error says that nothing is lost, and no thread is left."""
        cancel = Cancel()
        when_silent(tmp_path, cancel.is_set.set)
        with pytest.raises(GenerationCanceledError, match="goes on from there"):
            get(cancel)
        assert parts(tmp_path)
        assert not [t for t in threading.enumerate() if t.name.startswith("tiomagic-download")]

    def test_a_cancel_ends_the_wait_for_a_list(self, hub_server: Hub) -> None:
        """A hub that hangs before the first file does not hold a cancel up."""
        hub_server.publish("a/b", FILES)
        hub_server.may_send.clear()
        cancel = Cancel()
        cancel.is_set.set()
        with pytest.raises(GenerationCanceledError):
            get(cancel)


class TestBrokenConnections:
    def test_a_file_that_breaks_off_is_continued(self, hub_server: Hub) -> None:
        """It is asked for from where it broke, and not a byte comes twice."""
        hub_server.publish("a/b", {BIG: CONTENT})
        hub_server.breaks_after = [HALF, 1000]
        folder = get()
        assert (folder / BIG).read_bytes() == CONTENT
        assert hub_server.sent[BIG] == len(CONTENT)

    def test_one_that_breaks_off_for_good_can_be_continued(
        self, hub_server: Hub, tmp_path: Path
    ) -> None:
        """The error may be tried again, and what came stays."""
        hub_server.publish("a/b", {BIG: CONTENT})
        hub_server.breaks_after = [HALF, *[0] * 10_000]
        with pytest.raises(APIError) as caught:
            get()
        assert caught.value.retryable
        assert [path.stat().st_size for path in parts(tmp_path)] == [HALF]
        hub_server.breaks_after, hub_server.sent = [], type(hub_server.sent)()
        assert (get() / BIG).read_bytes() == CONTENT
        assert hub_server.sent[BIG] == HALF

    def test_a_server_that_gives_no_ranges(self, hub_server: Hub) -> None:
        """The file comes from the start, and is whole."""
        hub_server.publish("a/b", {BIG: CONTENT})
        hub_server.ignores_ranges, hub_server.breaks_after = True, [HALF]
        assert (get() / BIG).read_bytes() == CONTENT
        assert hub_server.sent[BIG] == HALF + len(CONTENT)

    def test_trouble_in_the_middle_passes(self, hub_server: Hub) -> None:
        """A 503 for a file is tried again."""
        hub_server.publish("a/b", {BIG: CONTENT})
        hub.plan_download(
            [hub.WantedFiles(repository="a/b", revision=None, names=hub.FILES)],
            model="m",
            token=None,
        )
        hub_server.trouble = [503, 503]
        assert (get() / BIG).read_bytes() == CONTENT


class TestContents:
    def test_a_damaged_part_is_fetched_again(self, hub_server: Hub, tmp_path: Path) -> None:
        """A part with holes, as a loss of power leaves it, is found out by the digest."""
        hub_server.publish("a/b", {BIG: CONTENT})
        hub_server.breaks_after = [HALF, *[0] * 10_000]
        with pytest.raises(APIError):
            get()
        parts(tmp_path)[0].write_bytes(bytes(HALF))
        hub_server.breaks_after = []
        assert (get() / BIG).read_bytes() == CONTENT

    @pytest.mark.parametrize("name", [BIG, "config.json"])
    def test_a_content_that_is_not_the_listed_one_is_not_kept(
        self, hub_server: Hub, tmp_path: Path, name: str
    ) -> None:
        """Large files by their SHA-256, small ones by what git calls them."""
        hub_server.publish("a/b", FILES)
        hub_server.damaged = {name}
        with pytest.raises(APIError, match="another content") as caught:
            get()
        assert hub_server.address in caught.value.message
        assert not caught.value.retryable
        hub_server.damaged.clear()
        assert (get() / name).read_bytes() == FILES[name]

    def test_a_file_that_was_cut_off_is_fetched_again(self, hub_server: Hub) -> None:
        """A file in the cache that has not its size is not the file."""
        hub_server.publish("a/b", FILES)
        blob = (get() / BIG).resolve()
        blob.write_bytes(b"cut")
        assert (get() / BIG).read_bytes() == CONTENT

    def test_the_client_finds_the_files(self, hub_server: Hub) -> None:
        """The cache is as the hub's own client makes it: it asks for nothing."""
        from huggingface_hub import scan_cache_dir, snapshot_download

        commit = hub_server.publish("a/b", FILES)
        folder = get()
        hub_server.asked.clear()
        assert Path(snapshot_download("a/b", revision=commit)) == folder
        assert not [request for request in hub_server.asked if "/a/b/" in request]
        (repository,) = scan_cache_dir().repos
        assert repository.size_on_disk == 2 * len(CONTENT) + 2
        assert (folder / BIG).is_symlink()

    def test_without_links_a_file_is_stored_once(
        self, hub_server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where there are no symbolic links a file lies in its snapshot."""
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", True)
        hub_server.publish("a/b", FILES)
        folder = get()
        assert not (folder / BIG).is_symlink()
        assert sum(p.stat().st_size == len(CONTENT) for p in tmp_path.rglob("*")) == 2
        hub_server.asked.clear()
        assert get() == folder
        assert hub_server.asked == []


class TestTrouble:
    def test_a_disk_without_room_is_found_out_before_a_byte(self, hub_server: Hub) -> None:
        """It says how much is missing, and where."""
        hub_server.publish("a/b", {BIG: CONTENT})
        hub_server.listed_size = 2**60
        with pytest.raises(ConfigurationError, match=r"Free 10737\d+\.\d GiB") as caught:
            get()
        assert "cache" in caught.value.message
        assert hub_server.downloaded_files("a/b") == set()

    def test_a_disk_that_gets_full_meanwhile(
        self, hub_server: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It ends at once, and what has come stays."""
        hub_server.publish("a/b", {BIG: CONTENT})

        def full(*_given: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(transfer.Transfer, "_read_part", full)
        with pytest.raises(ConfigurationError, match="disk is full"):
            get()

    def test_a_hub_that_limits_requests_says_when_to_come_back(self, hub_server: Hub) -> None:
        """A short time is waited for, a long one is told."""
        hub_server.publish("a/b", FILES)
        hub_server.headers = {"Retry-After": "1"}
        hub_server.trouble = [429]
        get()
        hub_server.headers = {"Retry-After": "300"}
        hub_server.trouble = [429] * 10
        with pytest.raises(RateLimitError, match="again in 300 s") as caught:
            hub.list_repository_files("a/b", None, token=None)
        assert caught.value.retry_after == 300

    def test_another_program_downloads_the_same_file(self, hub_server: Hub, tmp_path: Path) -> None:
        """Its lock is the client's own; the wait is told, and a cancel ends it."""
        from huggingface_hub.utils import WeakFileLock

        hub_server.publish("a/b", {BIG: CONTENT})
        folder = get()
        digest = (folder / BIG).resolve().name
        (folder / BIG).resolve().unlink()
        cancel, told = Cancel(), []

        def tell(progress: Progress) -> None:
            told.append(str(progress))
            if "waits for another program" in told[-1]:
                cancel.is_set.set()

        lock = tmp_path / "cache" / ".locks" / "models--a--b" / f"{digest}.lock"
        with WeakFileLock(lock), pytest.raises(GenerationCanceledError):
            hub.download_repository(
                "a/b", None, model="m", token=None, progress=tell, cancel=cancel
            )


def test_the_progress_of_a_download(hub_server: Hub) -> None:
    """It counts bytes and files, and ends with all of them."""
    hub_server.publish("a/b", FILES)
    told: list[Progress] = []
    get(told=told)
    last = told[-1].download
    assert last is not None
    assert (last.bytes_done, last.bytes_total, last.files) == (2**21 + 2, 2**21 + 2, 3)
    assert (told[-1].step, told[-1].steps, told[-1].fraction) == (2, 2, 1.0)


def test_a_download_in_words() -> None:
    """Size, speed, time left and the file fit on a line; and plain data keep them."""
    state = DownloadState(
        file="transformer/x.safetensors",
        number=3,
        files=12,
        bytes_done=3 * 2**29,
        bytes_total=17 * 2**30,
        bytes_per_s=45.3e6,
    )
    said = "1.5 of 17.0 GiB, 45 MB/s, 6 min left, file 3 of 12: transformer/x.safetensors"
    assert str(state) == said
    assert DownloadState.from_dict(state.to_dict()) == state
    assert DownloadState.from_dict({"file": "x"}) is None
    assert DownloadState.from_dict("x") is None
    # The time left is that of the bytes, from the first event on.
    moment = Progress(phase=Phase.DOWNLOADING, step=1536, steps=17408, download=state)
    assert Progress.from_dict(moment.to_dict()) == moment
    assert EtaEstimator(lambda: 0.0).eta_s(moment) == pytest.approx((17 - 1.5) * 2**30 / 45.3e6)
