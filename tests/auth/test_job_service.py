"""What Home asks the job service: once a minute, never for long, and what it does when there is no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from aifactory_hub.hub_pages import job_service
from aifactory_hub.hub_pages.job_service import KEPT, OLDEST, JobService

MONTH = {"seconds": 3600, "amount": "0.40", "currency": "EUR", "uncertain_seconds": 0, "as_of": 5}
JOBS: dict[str, Any] = {"jobs": [{"id": "j1", "name": "train", "state": "RUNNING", "reason": None, "times": {}}]}


class Service:
    """Answers, or does as ``trouble`` says; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.trouble: str = ""
        self.now = 0.0
        self.waiting: int | None = 2

    async def __call__(self, path: str) -> Mapping[str, Any]:
        self.asked.append(path)
        if self.trouble == "slow":
            await asyncio.sleep(60)
        if self.trouble == "refuses":
            raise OSError("connection refused")
        if self.trouble == "odd":
            return {"seconds": "many"}
        if path.startswith("site/idle"):
            notice = {"why": "Nothing has used it.", "until": 1}
            return {"servers": [{"server": "", "notice": notice}, {"server": "second", "notice": None}]}
        if path.startswith("site/advice"):
            about = {"tenant": "nlp", "instead_of": "mig-3g.40gb"}
            return {"advice": [{**about, "kind": "server", "text": "less"}, {**about, "kind": "job", "text": "no"}]}
        if path.startswith("site/approvals"):
            return {"waiting": self.waiting}
        return MONTH if path.startswith("site/usage") else JOBS

    def clock(self) -> float:
        return self.now


async def test_the_month_is_asked_for_once_a_minute_and_of_the_persons_teams_alone() -> None:
    service = Service()
    home = JobService(service.clock)
    for _ in range(3):
        said = await home.of(service, "ada & co", ["nlp", "vision"])
    assert said.month is not None and said.jobs is not None
    assert (said.month.seconds, said.jobs[0].name) == (3600, "train")
    assert service.asked == [
        "site/usage?user=ada+%26+co",
        "site/jobs?user=ada+%26+co&limit=5&tenant=nlp&tenant=vision",
        "site/approvals?user=ada+%26+co",
        "site/idle?user=ada+%26+co",
        "site/advice?user=ada+%26+co",
    ]
    assert said.advice == {("nlp", "mig-3g.40gb"): "less"}
    assert said.unused == {"": "Nothing has used it."}
    assert said.approvals == 2
    service.now = KEPT + 1
    await home.of(service, "ada & co", ["nlp"])
    assert len(service.asked) == 9  # advice serves for longer


@pytest.mark.parametrize("waiting", [0, 1, None])
async def test_that_nobody_knows_how_many_approvals_wait_is_not_none(waiting: int | None) -> None:
    service = Service()
    service.waiting = waiting
    assert (await JobService(service.clock).of(service, "ada", ["nlp"])).approvals == waiting


@pytest.mark.parametrize("trouble", ["slow", "refuses", "odd"])
async def test_home_does_not_wait_for_a_service_that_does_not_answer(
    trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_service, "WITHIN", 0.05)
    service = Service()
    home = JobService(service.clock)
    service.trouble = trouble
    async with asyncio.timeout(5):
        said = await home.of(service, "ada", ["nlp"])
    assert (said.month, said.jobs, said.approvals) == (None, None, None)


async def test_a_month_that_was_known_is_shown_for_a_while_and_not_for_ever() -> None:
    service = Service()
    home = JobService(service.clock)
    await home.of(service, "ada", ["nlp"])
    service.trouble, service.now = "refuses", KEPT + 1
    said = await home.of(service, "ada", ["nlp"])
    assert said.month is not None and said.jobs is None
    service.now = OLDEST + 1
    assert (await home.of(service, "ada", ["nlp"])).month is None


async def test_one_persons_answer_is_not_anothers_and_who_is_in_no_team_has_no_jobs() -> None:
    service = Service()
    home = JobService(service.clock)
    await home.of(service, "ada", ["nlp"])
    said = await home.of(service, "sam", [])
    assert said.jobs == ()
    asked = ["site/usage?user=sam", "site/approvals?user=sam", "site/idle?user=sam", "site/advice?user=sam"]
    assert service.asked[-4:] == asked
