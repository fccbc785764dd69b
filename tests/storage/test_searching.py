"""Searching: which way a database goes to what the contract promises."""

from sqlalchemy import inspect, text
from sqlalchemy.dialects import sqlite

from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.testing.repository import make_job
from tiomagic_storage import open_repository
from tiomagic_storage.database import search_index
from tiomagic_storage.database.search_index import select_candidates
from tiomagic_storage.jobs.filters import select_jobs


def test_numbers_survive_a_vacuum(sqlite_url):
    """A search finds the right job after somebody deleted jobs and packed the file."""
    repository = open_repository(sqlite_url)
    for number in range(20):
        prompt = "needle" if number == 15 else "haystack"
        repository.add(make_job(job_id=f"{number:02}", prompt=prompt))
    for number in range(10):
        repository.delete(f"{number:02}")
    with repository._database.connection() as connection:
        connection.exec_driver_sql("VACUUM")
    assert [job.job_id for job in repository.list(JobQuery(text="needle"))] == ["15"]
    repository.add(make_job(job_id="later", prompt="a needle"))
    repository.delete("15")
    assert [job.job_id for job in repository.list(JobQuery(text="needle"))] == ["later"]
    repository.close()


def test_a_text_in_no_prompt_is_not_looked_for_in_each(sqlite_repository):
    """The index says that there is nothing: no prompt is read. Short words go without it."""
    for number in range(3):
        sqlite_repository.add(make_job(job_id=str(number)))
    with sqlite_repository._database.connection() as connection:
        rare = select_candidates(connection, JobQuery(text="zebra of"))
        statement = inline_parameters(select_jobs(JobQuery(text="zebra"), None, rare))
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all()
        assert select_candidates(connection, JobQuery(text="of")) is None
    steps = [row.detail for row in plan]
    assert any("VIRTUAL TABLE INDEX" in step for step in steps)
    assert not any("SCAN tiomagic_jobs" in step for step in steps)


def test_a_word_in_most_prompts_is_looked_for_from_the_newest(sqlite_repository, monkeypatch):
    """When the index proposes too many jobs to sort, they are met in order instead."""
    monkeypatch.setattr(search_index, "MAX_CANDIDATES", 2)
    for number in range(4):
        sqlite_repository.add(make_job(job_id=str(number), prompt="a fox" if number else "an owl"))
    with sqlite_repository._database.connection() as connection:
        assert select_candidates(connection, JobQuery(text="fox")) is None
        assert select_candidates(connection, JobQuery(text="owl")) is not None
    found = sqlite_repository.list(JobQuery(text="fox", limit=2))
    assert [job.job_id for job in found] == ["3", "2"]


def test_the_next_job_of_a_queue_is_read_from_an_index(sqlite_repository):
    """However many jobs wait, they are not sorted for each job that a worker takes."""
    query = JobQuery(queue="gpu", status=frozenset({JobStatus.QUEUED}), next_first=True, limit=20)
    statement = inline_parameters(select_jobs(query, None))
    with sqlite_repository._database.connection() as connection:
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all()
    (step,) = (row.detail for row in plan)
    assert "USING INDEX tiomagic_jobs_by_rank (queue=? AND status=?)" in step


def inline_parameters(statement):
    return statement.compile(
        dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
    ).string.replace("%%", "%")


def test_postgresql_searches_with_its_index(postgresql_url):
    """Where there are enough jobs, a word of three characters is looked up by trigrams."""
    repository = open_repository(postgresql_url)
    repository.add(make_job())
    with repository._database.connection() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        plan = connection.exec_driver_sql(
            "EXPLAIN SELECT * FROM tiomagic_jobs WHERE lower(prompt) LIKE '%%' || lower('fox')"
            " || '%%' ESCAPE '/'"
        ).all()
    assert "tiomagic_jobs_by_prompt" in str(plan)
    repository.close()


def test_postgresql_searches_without_the_extension_too(postgresql_url, monkeypatch):
    """Who may not create the extension gets the same jobs."""
    repository = open_repository(postgresql_url)
    with repository._database.connection() as connection:
        connection.exec_driver_sql("CREATE ROLE visitor LOGIN")
        connection.exec_driver_sql("DROP EXTENSION pg_trgm CASCADE")
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
        connection.exec_driver_sql("GRANT ALL ON SCHEMA public TO visitor")
    try:
        url = postgresql_url.replace("tester", "visitor")
        visitor = open_repository(url)
        visitor.add(make_job(job_id="a"))
        visitor.add(make_job(job_id="b", prompt="owl"))
        assert [job.job_id for job in visitor.list(JobQuery(text="RUNS fox"))] == ["a"]
        with visitor._database.connection() as connection:
            names = [index["name"] for index in inspect(connection).get_indexes("tiomagic_jobs")]
        assert "tiomagic_jobs_by_time" in names
        assert "tiomagic_jobs_by_prompt" not in names
        visitor.close()
    finally:
        with repository._database.connection() as connection:
            connection.exec_driver_sql("DROP OWNED BY visitor CASCADE")
            connection.exec_driver_sql("DROP ROLE visitor")
        repository.close()
