"""A hub on this machine: the hub's own client talks to it as it does to the real one.

It keeps repositories with one or more commits, gives files of them, and can be told to be in
trouble for some requests. What was asked of it is written down.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest


class Hub:
    """Repositories that are served at ``address``."""

    def __init__(self) -> None:
        self.address = ""
        """Such as ``http://127.0.0.1:4000``."""
        self.asked: list[str] = []
        """Method and path of every request, in order."""
        self.trouble: list[int] = []
        """Statuses that the next requests get in the place of an answer."""
        self.content_of_trouble = b"{}"
        """What they get with it."""
        self.agents: set[str] = set()
        """What the requests said of the program that sent them."""
        self.xet: dict[str, str] = {}
        """Names of files that are also to be had by Xet, which is not here, with their hashes."""
        self.sent: Counter[str] = Counter()
        """Bytes of contents that were sent, by the names of files."""
        self.wanted: Counter[str] = Counter()
        """Bytes of contents that were asked for, by the names of files."""
        self.breaks_after: list[int] = []
        """Bytes of content after which the next connections break."""
        self.piece_bytes = 2**16
        """Bytes of content that are sent at once."""
        self.may_send = threading.Event()
        """Cleared to have the hub fall silent, in the middle of a content too."""
        self.may_send.set()
        self.holds_at: int | None = None
        """Bytes of each content after which the hub falls silent, until ``goes_on`` is set."""
        self.goes_on = threading.Event()
        self.headers: dict[str, str] = {}
        """More headers of answers that are errors."""
        self.damaged: set[str] = set()
        """Names of files that come with another content than is listed."""
        self.ignores_ranges = False
        self.listed_size: int | None = None
        """The size that the list gives of large files; None for their own."""
        self.tokens: set[str] = set()
        """What requests had for authorization."""
        self._commits: dict[str, dict[str, dict[str, bytes]]] = {}

    def publish(self, repository: str, files: Path | dict[str, bytes]) -> str:
        """Add a commit with these files, which is the newest then, and return its name."""
        if isinstance(files, Path):
            paths = [path for path in sorted(files.rglob("*")) if path.is_file()]
            files = {path.relative_to(files).as_posix(): path.read_bytes() for path in paths}
        known = self._commits.setdefault(repository, {})
        commit = hashlib.sha1(f"{repository}{len(known)}".encode()).hexdigest()
        known[commit] = files
        return commit

    def downloaded_files(self, repository: str) -> set[str]:
        """Return the files of a repository whose content was fetched."""
        start = f"GET /{repository}/resolve/"
        paths = [entry.removeprefix(start) for entry in self.asked if entry.startswith(start)]
        return {path.partition("/")[2] for path in paths}

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and content for a path."""
        if self.trouble:
            return self.trouble.pop(0), self.headers, self.content_of_trouble
        for repository, commits in self._commits.items():
            for start, give in (
                (f"/api/models/{repository}/revision/", self._about),
                (f"/api/models/{repository}/tree/", self._tree),
                (f"/{repository}/resolve/", self._file),
            ):
                if path.startswith(start):
                    revision, _, rest = path.removeprefix(start).partition("/")
                    commit = list(commits)[-1] if revision == "main" else revision
                    if commit in commits:
                        return give(commit, commits[commit], rest)
        return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"

    def _about(
        self, commit: str, files: dict[str, bytes], _rest: str
    ) -> tuple[int, dict[str, str], bytes]:
        about = {"id": "a/b", "sha": commit, "siblings": [{"rfilename": name} for name in files]}
        return 200, {}, json.dumps(about).encode()

    def _tree(
        self, _commit: str, files: dict[str, bytes], _rest: str
    ) -> tuple[int, dict[str, str], bytes]:
        entries: list[dict[str, object]] = []
        for name, data in files.items():
            entry = {"type": "file", "path": name, "size": len(data), "oid": _oid(data)}
            if _is_large(name):
                size = self.listed_size or len(data)
                entry["lfs"] = {"oid": _etag(name, data), "size": size, "pointerSize": 134}
            if name in self.xet:
                entry["xetHash"] = self.xet[name]
            entries.append(entry)
        return 200, {}, json.dumps(entries).encode()

    def _file(
        self, commit: str, files: dict[str, bytes], rest: str
    ) -> tuple[int, dict[str, str], bytes]:
        if rest not in files:
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        data = files[rest]
        if rest in self.damaged:
            return 200, {"X-Repo-Commit": commit}, bytes(len(data))
        return 200, {"X-Repo-Commit": commit, "ETag": f'"{_etag(rest, data)}"'}, data


def _is_large(name: str) -> bool:
    return name.endswith(".safetensors")


def _oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _etag(name: str, data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if _is_large(name) else _oid(data)


class Handler(BaseHTTPRequestHandler):
    """Answers the requests to a hub."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        self.hub.agents.add(self.headers.get("User-Agent", ""))
        self.hub.tokens.add(self.headers.get("Authorization", ""))
        self.hub.may_send.wait(60)
        status, headers, content = self.hub.answer(path)
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if status == 200 and wanted and not self.hub.ignores_ranges:
            first, last = int(wanted[1]), int(wanted[2] or len(content) - 1)
            whole, content = len(content), content[first : last + 1]
            status = 206
            headers = {**headers, "Content-Range": f"bytes {first}-{last}/{whole}"}
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self._send(path, content)

    def _send(self, path: str, content: bytes) -> None:
        is_file = "/resolve/" in path
        name = path.partition("/resolve/")[2].partition("/")[2]
        if is_file:
            self.hub.wanted[name] += len(content)
        end = self.hub.breaks_after.pop(0) if is_file and self.hub.breaks_after else len(content)
        for start in range(0, end, self.hub.piece_bytes):
            if start == self.hub.holds_at:
                self.hub.goes_on.wait(60)
            piece = content[start : min(start + self.hub.piece_bytes, end)]
            try:
                self.wfile.write(piece)
                self.wfile.flush()
            except OSError:
                return  # Who asked has gone.
            if is_file:
                self.hub.sent[name] += len(piece)
        if end < len(content):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    do_HEAD = do_GET  # noqa: N815 - the name that the server looks for

    def log_message(self, *_given: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A hub without repositories, and a cache of its own without files."""
    from huggingface_hub import constants

    from tiomagic_local.weights import hub_requests, transfer

    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HandlerOfHub", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.address = address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub_requests, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(transfer, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(transfer, "LONGEST_PAUSE_S", 0.001)
    monkeypatch.setattr(transfer, "GIVE_UP_AFTER_S", 0.1)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield hub
    hub.may_send.set()
    hub.goes_on.set()
    server.shutdown()
    server.server_close()
    thread.join()
