"""``tiomagic doctor``: what it finds, what it changes (nothing), and what it never shows."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tiomagic import TioMagic
from tiomagic.doctor import (
    DoctorFinding,
    Severity,
    diagnose,
    find_provider_findings,
    worst_severity,
)
from tiomagic_domain.plugins import ProviderPlugin, ProviderSettings
from tiomagic_domain.plugins.commands import Command
from tiomagic_domain.ports.provider import Provider
from tiomagic_domain.testing.repository import make_job
from tiomagic_storage import open_repository


@pytest.fixture
def found(folder: Path):
    """Diagnose with some settings; gives the findings by part."""

    def run(**settings: object) -> dict[str, DoctorFinding]:
        tm = TioMagic(**settings)
        findings = diagnose(tm.session)
        assert [part.part for part in findings] == list({part.part: None for part in findings})
        return {finding.part: finding for finding in findings}

    return run


def test_a_healthy_machine_has_no_problem(found, folder):
    """All parts are looked at, and looking makes no file."""
    parts = found()
    assert worst_severity(list(parts.values())) in {Severity.OK, Severity.NOTE, Severity.WARNING}
    wanted = {"tiomagic", "python", "torch", "device", "memory", "video", "hub token"}
    assert wanted | {"modal token", "videos", "state", "weights", "database"} <= set(parts)
    assert list(folder.iterdir()) == []


def test_tokens_are_told_and_never_shown(found):
    """Their place is named, and no part of their value."""
    parts = found(
        hf_token="hf_VERYsecret", modal_token_id="ak-SECRETid", modal_token_secret="as-SECRET"
    )
    assert "present, from the settings" in parts["hub token"].message
    assert "present, from the settings" in parts["modal token"].message
    everything = json.dumps([part.to_dict() for part in parts.values()])
    for secret in ("VERYsecret", "SECRETid", "as-SECRET"):
        assert secret not in everything


def test_jobs_are_counted(found, sqlite_file):
    """A sound database says how many jobs it holds."""
    assert "sound, 2 jobs" in found(database_url=f"sqlite:///{sqlite_file}")["database"].message


def test_a_damaged_database_is_a_problem(found, sqlite_file):
    """Damage in the middle of the file, which opening alone does not notice, is found."""
    data = bytearray(sqlite_file.read_bytes())
    data[8192:-4096] = b"\xa5" * len(data[8192:-4096])
    sqlite_file.write_bytes(data)
    database = found(database_url=f"sqlite:///{sqlite_file}")["database"]
    assert database.state is Severity.PROBLEM
    assert str(sqlite_file) in database.message


def test_what_is_no_database_is_a_problem(found, folder):
    """A text file in the database's place is named."""
    (folder / "notes.db").write_text("not a database, but long enough to look at " * 9)
    database = found(database_url=f"sqlite:///{folder}/notes.db")["database"]
    assert database.state is Severity.PROBLEM
    assert "notes.db" in database.message


def test_a_file_where_a_folder_should_be_is_a_problem(found, folder):
    """Nobody can make a folder below a file: said before a video is made for nothing."""
    (folder / "taken").write_text("")
    videos = found(output_dir=folder / "taken" / "videos")["videos"]
    assert videos.state is Severity.PROBLEM
    assert "cannot be written" in videos.message


def test_little_room_is_a_warning(found, monkeypatch):
    """A disk that is nearly full is said while there is time."""
    usage = shutil._ntuple_diskusage(total=2**40, used=2**40 - 2**30, free=2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    videos = found()["videos"]
    assert videos.state is Severity.WARNING
    assert "only 1.0 GiB free" in videos.message


def test_a_device_that_is_not_there_names_one_that_is(found):
    """The rest is looked at all the same."""
    parts = found(device="cuda:7")
    assert parts["machine"].state is Severity.PROBLEM
    assert "'cuda:7'" in parts["machine"].message
    assert "database" in parts


def test_the_command_shows_a_table_or_json_and_ends_with_3_on_a_problem(shell, folder):
    """A script sees at the exit code whether videos can be made here."""
    done = shell("doctor", "--json")
    assert done.returncode == 0, done.stderr
    assert {finding["part"] for finding in json.loads(done.stdout)} >= {"python", "database"}
    (folder / "output_videos").write_text("in the way")
    done = shell("doctor")
    assert done.returncode == 3
    assert "cannot be written" in done.stdout


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    """A database with two jobs, closed."""
    path = tmp_path / "jobs.db"
    repository = open_repository(f"sqlite:///{path}")
    for number in range(2):
        repository.add(make_job(job_id=f"job-{number}"))
    repository.close()
    return path


def test_commands_that_cannot_be_listed_are_a_finding() -> None:
    """The group is left out of the command line, and the doctor says so with the reason."""

    class Broken(ProviderPlugin):
        def build(self, settings: ProviderSettings) -> Provider:
            raise NotImplementedError

        def commands(self) -> Sequence[Command]:
            raise RuntimeError("no table of commands")

    (finding,) = find_provider_findings("acme", Broken(), TioMagic().settings)
    assert finding.state is Severity.WARNING
    assert "its commands are left out" in finding.message
    assert "no table of commands" in finding.message


def test_every_variable_that_is_not_a_setting_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the one that is meant, where there is one near."""
    monkeypatch.setenv("TIOMAGIC_PROVIDR", "local")
    monkeypatch.setenv("TIOMAGIC_MY_OWN_NOTES", "x")
    (folder / ".env").write_text("TIOMAGIC_OUTPUT_DIRR=videos\n")
    found = [found.message for found in diagnose(TioMagic().session) if found.part == "settings"]
    assert found == [
        "TIOMAGIC_MY_OWN_NOTES is not a setting",
        "TIOMAGIC_OUTPUT_DIRR is not a setting; did you mean TIOMAGIC_OUTPUT_DIR?",
        "TIOMAGIC_PROVIDR is not a setting; did you mean TIOMAGIC_PROVIDER?",
    ]
