"""A working folder of tiomagic 1.0.0: what it has kept is the beginning of our history."""

import json
import logging

from tests.storage.test_generation_log import old_entry, write_old_log

from tiomagic_domain.jobs.job import JobQuery


def test_old_jobs_are_listed_at_the_first_question(fake_app, folder):
    """No job has to be made first; handle, list, search and export have the old one."""
    before = write_old_log(folder / "generation_log.json", old_entry())
    (job,) = fake_app.tm.list_jobs(text="all night")
    assert (job.job_id, job.status, job.prompt) == (
        "0f6c",
        "completed",
        "the prompt that took all night",
    )
    assert job.generation["call_id"] == "fc-01ABC"
    assert job.to_dict()["facts"]["imported_from"] == "tiomagic 1.0.0"
    assert (folder / "generation_log.1.0.0.json").read_bytes() == before
    assert fake_app.tm.recover() == []
    assert fake_app.modal.polled == []


def test_the_log_goes_on_behind_the_old_jobs(fake_app, folder):
    """The newest job is the last one, as in the scripts that read the log."""
    write_old_log(folder / "generation_log.json", old_entry())
    fake_app.tm.configure(provider="local")
    job = fake_app.tm.text_to_video(prompt="a fox")
    jobs = json.loads((folder / "generation_log.json").read_text())["jobs"]
    assert [entry["job_id"] for entry in jobs] == ["0f6c", job.job_id]
    fake_app.tm.close()
    assert len(fake_app.tm.list_jobs()) == 2


def test_another_program_keeps_its_file(fake_app, folder, caplog):
    """The job runs, the file is as it was, and that is said once."""
    (folder / "generation_log.json").write_text("mine")
    fake_app.tm.configure(provider="local")
    with caplog.at_level(logging.WARNING, logger="tiomagic"):
        for _ in range(2):
            assert fake_app.tm.text_to_video(prompt="a fox").status == "completed"
    assert (folder / "generation_log.json").read_text() == "mine"
    said = [r for r in caplog.records if "another program" in str(r.msg)]
    assert 1 <= len(said) <= 2
    assert fake_app.tm.session.container.repository().count(JobQuery()) == 2
