"""A job repository that counts what it is asked."""

from collections import Counter

from tiomagic_domain.testing import MemoryJobRepository


class CountingRepository(MemoryJobRepository):
    """Counts its calls by the names of the methods.

    Attributes:
        calls: How often each of ``get``, ``save``, ``list`` … was called.
    """

    def __init__(self):
        super().__init__()
        self.calls = Counter()

    def add(self, job):
        self.calls["add"] += 1
        super().add(job)

    def get(self, job_id):
        self.calls["get"] += 1
        return super().get(job_id)

    def save(self, job):
        self.calls["save"] += 1
        return super().save(job)

    def list(self, query):
        self.calls["list"] += 1
        return super().list(query)
