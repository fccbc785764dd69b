"""A real PostgreSQL for the tests: started on loopback, owned by nobody else, gone afterwards."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REQUIRED = "TEST_POSTGRESQL"
"""Set to ``required`` where a missing PostgreSQL must fail the tests; CI does."""


def find_binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL on this machine."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not folders and (found := shutil.which("initdb")):
        folders = [Path(found).parent]
    return max(folders, default=None, key=lambda path: path.parent.name.zfill(4))


@contextmanager
def run_server(binaries: Path) -> Iterator[str]:
    """Start a server with a fresh cluster; give its URL without a database."""
    user = _unprivileged()
    home = Path(tempfile.mkdtemp(prefix="tiomagic-pg-"))
    as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid} if user else {}
    if user:
        shutil.chown(home, user)
    data = home / "data"

    def call(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [binaries / program, "-D", data, *arguments],
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **as_user,
        )
        assert done.returncode == 0, f"{program} failed:\n{done.stdout}"

    port = _free_port()
    # No fsync: these clusters need not survive a power cut, and start in half the time.
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    try:
        call("initdb", "--no-sync", "-A", "trust", "-U", "tester", "-E", "UTF8")
        call("pg_ctl", "-w", "-l", str(home / "log"), "-o", settings, "start")
        try:
            yield f"postgresql://tester:secret@127.0.0.1:{port}"
        finally:
            call("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home)


@contextmanager
def create_database(server: str) -> Iterator[str]:
    """Give the URL of a database of its own."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{server}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _unprivileged() -> str | None:
    """Return whom to run the server as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
