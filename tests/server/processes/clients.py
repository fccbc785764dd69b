"""Many clients of one or several servers: each makes its videos and asks for them until their end.

They behave as careful clients do: every create has an idempotency key and is repeated with it until
there is an answer, and a poll waits as long as the server says. What they were told is kept, for
whoever looks afterwards whether it was true.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

OVER = frozenset({"completed", "failed"})
AGAIN = frozenset({429, 503})
"""Answers after which a request is repeated."""
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 3.0
"""Before a request is repeated whose answer was lost; each pause is twice the one before."""
TIMEOUT_S = 120.0
GIVE_UP_S = 1800.0
"""After so long without a good answer a client fails: the server does not come back."""


@dataclass
class Told:
    """What the clients were told."""

    jobs: dict[str, str] = field(default_factory=dict)
    """The id of each video by the idempotency key of its call."""
    contradictions: list[str] = field(default_factory=list)
    """Keys for which two answers named two videos."""
    ends: dict[str, str] = field(default_factory=dict)
    """The last status of each video by its id."""
    create_ms: list[float] = field(default_factory=list)
    poll_ms: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    """Requests by kind and status; ``lost`` without an answer."""


@dataclass
class Clients:
    """So many clients.

    Attributes:
        addresses: Of the servers; a request whose answer is lost is repeated at the next one.
        count: How many clients.
        jobs_each: Videos of each.
        poll_pause_s: Between two polls of a client; None for what the server says.
        told: What they were told.
        body: Fields of every call beside its prompt.
        name: Of these clients, in their keys.
    """

    addresses: Sequence[str]
    count: int
    jobs_each: int
    poll_pause_s: float | None = None
    body: dict[str, Any] = field(default_factory=dict)
    name: str = "load"
    told: Told = field(default_factory=Told)
    _turn: Iterator[int] = field(default_factory=itertools.count)

    async def run(self) -> Told:
        """Let all clients work until their videos are over."""
        limits = httpx.Limits(max_connections=self.count, max_keepalive_connections=self.count)
        async with (
            httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits) as http,
            asyncio.TaskGroup() as tasks,
        ):
            for number in range(self.count):
                tasks.create_task(self._work(http, number))
        return self.told

    async def _work(self, http: httpx.AsyncClient, number: int) -> None:
        # They do not all begin in one moment.
        await asyncio.sleep(number / self.count)
        keys = [f"{self.name}-{number}-{index}" for index in range(self.jobs_each)]
        waiting = [await self._create(http, key) for key in keys]
        while waiting:
            left = []
            for job_id in waiting:
                status, pause = await self._poll(http, job_id)
                if status not in OVER:
                    left.append(job_id)
                await asyncio.sleep(pause if self.poll_pause_s is None else self.poll_pause_s)
            waiting = left

    async def _create(self, http: httpx.AsyncClient, key: str) -> str:
        call = {**self.body, "prompt": f"a fox for {key}"}
        headers = {"idempotency-key": key}
        answer = await self._ask(http, "create", "POST", "/v1/videos", json=call, headers=headers)
        assert answer.status_code == 200, answer.text
        job_id = str(answer.json()["id"])
        if self.told.jobs.setdefault(key, job_id) != job_id:
            self.told.contradictions.append(key)
        return job_id

    async def _poll(self, http: httpx.AsyncClient, job_id: str) -> tuple[str, float]:
        answer = await self._ask(http, "poll", "GET", f"/v1/videos/{job_id}")
        status = str(answer.json()["status"]) if answer.status_code == 200 else "gone"
        self.told.ends[job_id] = status
        return status, int(answer.headers.get("openai-poll-after-ms", "0")) / 1000

    async def _ask(
        self, http: httpx.AsyncClient, kind: str, method: str, path: str, **more: Any
    ) -> httpx.Response:
        """Send a request until it is answered."""
        times = self.told.create_ms if kind == "create" else self.told.poll_ms
        until, pause = time.monotonic() + GIVE_UP_S, FIRST_PAUSE_S
        turns = itertools.cycle(self.addresses)
        for _ in range(next(self._turn) % len(self.addresses)):
            next(turns)
        while True:
            assert time.monotonic() < until, f"{method} {path}: {dict(self.told.answers)}"
            begun = time.perf_counter()
            try:
                answer = await http.request(method, next(turns) + path, **more)
            except httpx.TransportError:
                self.told.answers[f"{kind} lost"] += 1
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
                continue
            self.told.answers[f"{kind} {answer.status_code}"] += 1
            if answer.status_code not in AGAIN:
                times.append((time.perf_counter() - begun) * 1000)
                return answer
            await asyncio.sleep(float(answer.headers.get("retry-after", FIRST_PAUSE_S)))
