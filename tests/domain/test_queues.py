"""Queues by the settings of their jobs, and the workers that serve them."""

import dataclasses
from datetime import timedelta

import pytest
from tests.domain.places import CPU, QUEUE, FakeMachine

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.usecases.archive import Archive
from tiomagic_domain.workers import Worker, WorkerLimits, queue_name, split_queue
from tiomagic_domain.workers.idle_workers import end_idle_worker, list_workers
from tiomagic_domain.workers.supervisor import find_requeue_reason

LEASE = f"worker:{QUEUE}@{CPU}"


@pytest.fixture
def machine(tmp_path):
    return FakeMachine(tmp_path)


def test_a_queue_names_the_settings_of_its_jobs():
    """Without a fingerprint the name is that of older versions."""
    assert queue_name("local", "here", None) == "local:here:auto"
    named = queue_name("local", "here", "cuda:0,cuda:1", "ab12")
    assert named == "local:here:cuda:0,cuda:1#ab12"
    assert split_queue(named) == ("local:here:cuda:0,cuda:1", "ab12")
    assert split_queue("local:here:auto") == ("local:here:auto", "")


def test_jobs_of_other_settings_wait_in_another_queue(machine):
    """So that a worker runs none of them."""
    background = dataclasses.replace(machine.background("caller"), fingerprint=lambda: "ab12")
    job = machine.generation(background).submit(
        machine.submit().feature,
        provider="local",
        model=None,
        arguments={"prompt": "a fox"},
        detach=True,
    )
    assert job.queue == "local:here:auto#ab12"
    assert machine.launcher.launched == [QUEUE, "local:here:auto#ab12"]


def test_a_worker_that_stands_in_takes_no_newer_job(machine):
    """It was started to recover old jobs; a newer one counts on settings that it may not have."""
    old = machine.submit()
    machine.clock.advance(1)
    moment = machine.clock.now()
    newer = machine.submit()
    background = machine.background("worker")
    worker = Worker(
        QUEUE,
        background=background,
        repository=machine.repository,
        generation=machine.generation(background),
        slots=lambda: (CPU,),
        leave=lambda: None,
        on_trouble=machine.troubles.append,
        limits=WorkerLimits(idle_s=0, poll_s=1),
        created_before=moment,
    )
    worker.run()
    statuses = [machine.repository.get(job.job_id).status for job in (old, newer)]
    assert statuses == [JobStatus.COMPLETED, JobStatus.QUEUED]


def test_the_highest_priority_of_a_queue_runs_first(machine):
    """And the oldest of the same; a job that was moved to the front overtakes all that wait."""
    jobs = [machine.submit() for _ in range(3)]
    archive = Archive(repository=machine.repository, outputs=machine.outputs, clock=machine.clock)
    archive.run_next(jobs[2].job_id)
    machine.worker().run()
    started = list(machine.provider.runs)
    assert started == [jobs[place].job_id for place in (2, 0, 1)]


def test_ctrl_c_while_a_worker_starts_cancels_the_job(machine, monkeypatch):
    """Its caller never gets the id, and so could not cancel it."""

    def interrupt(_queue):
        raise KeyboardInterrupt

    monkeypatch.setattr(machine.launcher, "launch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        machine.submit()
    (job,) = machine.repository.jobs.values()
    assert job.status is JobStatus.CANCELED


def test_idle_workers_are_found_and_ended(machine):
    """One with a job is left alone, and so is one that has a job waiting."""
    background = machine.background("caller")
    job = machine.submit()
    machine.claim_for_worker(job)
    (busy,) = list_workers(background, machine.repository)
    assert (busy.queue, busy.job.job_id) == (QUEUE, job.job_id)
    assert not end_idle_worker(background, machine.repository, LEASE)

    machine.repository.save(
        machine.repository.get(job.job_id).to(JobStatus.CANCELED, at=machine.clock.now())
    )
    (idle,) = list_workers(background, machine.repository)
    assert idle.job is None
    assert end_idle_worker(background, machine.repository, LEASE)
    assert list_workers(background, machine.repository) == []
    assert machine.leases.all() == []
    assert not end_idle_worker(background, machine.repository, LEASE)


def test_a_job_says_which_failure_has_put_it_back(machine):
    """A person who waits at a prompt gets it as the error."""
    job = machine.submit()
    assert find_requeue_reason(job) is None
    running = machine.claim_for_worker(job)
    machine.caller.requeue(running, ProcessingError("the disk is full"))
    assert find_requeue_reason(machine.repository.get(job.job_id)) == "the disk is full"
    assert machine.clock.now() - job.creation_time < timedelta(minutes=1)
