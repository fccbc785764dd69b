"""A working folder of tiomagic 1.0.0: what it has kept is the beginning of our history."""

import json
import logging

from tests.storage.test_generation_log import old_entry, write_old

from tiomagic_domain.jobs.job import JobQuery


def test_old_jobs_are_listed_at_the_first_question(stage, folder):
    """No job has to be made first; handle, list, search and export have the old one."""
    before = write_old(folder / "generation_log.json", old_entry())
    (job,) = stage.tm.list_jobs(text="all night")
    assert (job.job_id, job.status, job.prompt) == (
        "0f6c",
        "completed",
        "the prompt that took all night",
    )
    assert job.generation["call_id"] == "fc-01ABC"
    assert job.to_dict()["facts"]["imported_from"] == "tiomagic 1.0.0"
    assert (folder / "generation_log.1.0.0.json").read_bytes() == before
    assert stage.tm.recover() == []
    assert stage.modal.polled == []


def test_the_log_goes_on_behind_the_old_jobs(stage, folder):
    """The newest job is the last one, as in the scripts that read the log."""
    write_old(folder / "generation_log.json", old_entry())
    stage.tm.configure(provider="local")
    job = stage.tm.text_to_video(prompt="a fox")
    jobs = json.loads((folder / "generation_log.json").read_text())["jobs"]
    assert [entry["job_id"] for entry in jobs] == ["0f6c", job.job_id]
    stage.tm.close()
    assert len(stage.tm.list_jobs()) == 2


def test_another_program_keeps_its_file(stage, folder, caplog):
    """The job runs, the file is as it was, and that is said once."""
    (folder / "generation_log.json").write_text("mine")
    stage.tm.configure(provider="local")
    with caplog.at_level(logging.WARNING, logger="tiomagic"):
        for _ in range(2):
            assert stage.tm.text_to_video(prompt="a fox").status == "completed"
    assert (folder / "generation_log.json").read_text() == "mine"
    said = [r for r in caplog.records if "another program" in str(r.msg)]
    assert 1 <= len(said) <= 2
    assert stage.tm._session.container.repository().count(JobQuery()) == 2
