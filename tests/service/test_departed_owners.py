"""Jobs of owners who left their team, and of accounts that were handed over: by what the hub says now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.membership_policy import Policy
from aifactory_hub.domain.tenants import Role
from aifactory_hub.service.auth.hub_auth import HubGate
from aifactory_hub.service.background.departed_owners import Handovers, LeftOwners
from aifactory_hub.store.owners import Owners

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import Clock, RunningService, running_service

JOB = {"command": "python train.py", "profile": "mig-1g.10gb"}
MEMBER = {"standing": "known", "tenants": {"nlp": "member"}, "last": {"nlp": "member"}, "resolved_at": 0}
GRACE = 300.0


def away(standing: str = "known", last: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """What the hub says of somebody who may do nothing in nlp now."""
    tenants = (last or {}) if standing == "known" else {}
    return {"standing": standing, "tenants": tenants, "last": last, "resolved_at": 0, **more}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub, clock: Clock) -> AsyncIterator[RunningService]:
    async with running_service(tmp_path, hub=hub, reconciling=False, clock=clock) as service:
        yield service


def looks(service: RunningService, policy: Policy) -> LeftOwners:
    """A look by a process that has just started: nothing is in its memory."""
    gate = service.context.gate
    assert isinstance(gate, HubGate)
    context = service.context
    return LeftOwners(Owners(context.jobs.db, context.files), context.jobs, gate.members, lambda: policy, context.clock)


async def submitted(service: RunningService, key: str, **more: Any) -> str:
    async with service.http("ada") as http:
        answer = await http.post("/jobs", json={**JOB, "key": key, **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


async def three(service: RunningService) -> dict[str, str]:
    """A job that has its devices, one that is suspended, and one that waits for quota (the team has two slices)."""
    ids = {name: await submitted(service, name) for name in ("started", "suspended")}
    await service.reconciler.settle()
    async with service.http("ada") as http:
        await http.post(f"/jobs/{ids['suspended']}/suspend")
        await service.reconciler.settle()
        ids["other"] = await submitted(service, "other")
        await service.reconciler.settle()
        ids["waits"] = await submitted(service, "waits")
        await service.reconciler.settle()
    assert states(service, ids) == {
        "started": "STARTING",
        "suspended": "SUSPENDED",
        "other": "STARTING",
        "waits": "QUEUED",
    }
    return ids


def states(service: RunningService, ids: dict[str, str]) -> dict[str, str]:
    found = {name: service.context.jobs.get(job_id) for name, job_id in ids.items()}
    return {name: job.state.value for name, job in found.items() if job is not None}


GONE = {"started": "CANCELLED", "suspended": "CANCELLED", "other": "CANCELLED", "waits": "CANCELLED"}
WAITS_GONE = {"started": "STARTING", "suspended": "SUSPENDED", "other": "STARTING", "waits": "CANCELLED"}


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        (away(last={}), True),
        (away(last={"vision": "member"}), True),
        (away(last={"nlp": "viewer"}), True),
        (away("ended", last={}), True),
        (away("signed-out", last={}), True),
        (away("signed-out", last={"nlp": "member"}), False),
        (away("signed-out"), False),
        (away("unknown", last={"nlp": "member"}), False),
        ({"standing": "signed-out", "tenants": {}, "resolved_at": None}, False),
    ],
    ids=[
        "left, or signed in again", "moved to another team", "lowered to viewer", "account closed",
        "session over, rule gone or team renamed", "session over", "nothing known", "provider away", "an older hub",
    ],
)  # fmt: skip
@pytest.mark.parametrize("stop", [True, False], ids=["stop", "keep"])
async def test_jobs_of_who_left_end_by_the_policy(
    service: RunningService, hub: FakeHub, clock: Clock, said: dict[str, Any], ends: bool, stop: bool
) -> None:
    ids = await three(service)
    before = states(service, ids)
    hub.memberships["ada"] = said
    policy = Policy(stop=stop, grace=int(GRACE))
    await looks(service, policy).look()
    await service.reconciler.settle()
    after = states(service, ids)
    # What waited may have got the place of nothing else: one place is free for nobody.
    assert after == ((WAITS_GONE) if ends else before)
    clock.pass_by(GRACE - 1)
    await looks(service, policy).look()
    await service.reconciler.settle()
    assert states(service, ids) == after, "a new process goes on with the clock of the old one"
    clock.pass_by(2)
    await looks(service, policy).look()
    await service.reconciler.settle()
    assert states(service, ids) == (GONE if ends and stop else after)
    if ends:
        job = service.context.jobs.get(ids["waits"])
        assert job is not None
        assert job.reason == "cancelled by the hub: its owner is no member of the team any more"


async def test_who_is_back_in_time_keeps_the_jobs_and_gets_the_whole_grace_the_next_time(
    service: RunningService, hub: FakeHub, clock: Clock
) -> None:
    job_id = await submitted(service, "k")
    await service.reconciler.settle()
    policy = Policy(stop=True, grace=int(GRACE))
    for said, seconds in ((away(last={}), GRACE - 1), (MEMBER, 1), (away(last={}), GRACE - 1)):
        hub.memberships["ada"] = said
        await looks(service, policy).look()
        clock.pass_by(seconds)
        await looks(service, policy).look()
    assert service.context.jobs.get(job_id).cancel_asked_at is None  # type: ignore[union-attr]


async def test_a_hub_that_is_away_ends_nothing(service: RunningService, hub: FakeHub) -> None:
    job_id = await submitted(service, "k")
    hub.memberships_status = 503
    await looks(service, Policy(stop=True, grace=0)).look()
    assert service.context.jobs.get(job_id).cancel_asked_at is None  # type: ignore[union-attr]


async def test_the_hub_is_told_who_has_live_jobs(service: RunningService, hub: FakeHub) -> None:
    await submitted(service, "k")
    await service.context.periodic_tasks.once()
    assert "ada" in hub.watched


async def test_the_new_owner_of_an_account_finds_nothing_of_the_former_one(
    service: RunningService, hub: FakeHub
) -> None:
    async with service.http("ada") as http:
        live = await submitted(service, "k")
        schedule = {"cron": "0 3 * * *", "time_zone": "UTC", "key": "s", "job": JOB}
        made = (await http.post("/schedules", json=schedule)).json()["id"]
        await service.reconciler.settle()
    # The account is another person's from here on; the first that the service hears of it is this request.
    hub.memberships["ada"] = {**MEMBER, "generation": 1}
    hub.add("new-token", "ada", scopes_for("nlp"))
    async with service.http("new-token") as http:
        again = await http.post("/jobs", json={**JOB, "key": "k"})
        assert again.status_code == 201, "the key of the former owner's job is free"
        assert again.json()["id"] != live
        assert (await http.delete(f"/jobs/{live}")).status_code == 403
        assert (await http.delete(f"/schedules/{made}")).status_code == 403
    await service.reconciler.settle()
    job = service.context.jobs.get(live)
    assert job is not None
    assert (job.state, job.owner) == (JobState.CANCELLED, "ada/former-1")
    assert job.reason == "cancelled by the hub: the owner's account was handed over"


async def test_a_schedule_of_the_former_owner_submits_nothing_for_the_new_one(
    service: RunningService, hub: FakeHub, clock: Clock
) -> None:
    async with service.http("ada") as http:
        schedule = {"cron": "* * * * *", "time_zone": "UTC", "key": "s", "job": JOB}
        assert (await http.post("/schedules", json=schedule)).status_code == 201
    gate = service.context.gate
    assert isinstance(gate, HubGate)
    members = gate.members
    hub.memberships["ada"] = {**MEMBER, "generation": 1}
    clock.pass_by(120)

    class Asked:
        async def may_submit(self, user: str, tenant: str) -> bool | None:
            found = await members.of([user])
            return found[user].may_start(tenant)

        async def role(self, user: str, tenant: str) -> Role | None:
            return None

    scheduler = service.context.scheduler
    await type(scheduler)(
        scheduler.schedules, scheduler.jobs, scheduler.snapshots, scheduler.submissions, Asked(), clock
    ).tick()
    assert service.context.jobs.live() == []


async def test_a_handover_is_carried_out_again_by_a_process_that_starts_after_it(
    service: RunningService, hub: FakeHub
) -> None:
    hub.add("eve2", "eve2", scopes_for("vision"))
    owners = Owners(service.context.jobs.db, service.context.files)
    owners.retire("ada", 2, now=1.0)
    job_id = await submitted(service, "k")
    fresh = Handovers(owners, service.context.jobs, service.context.clock)
    await fresh.carry_out({"ada": 2, "eve2": 0})
    assert service.context.jobs.get(job_id).owner == "ada"  # type: ignore[union-attr]
    await fresh.carry_out({"ada": 3})
    assert service.context.jobs.get(job_id).owner == "ada/former-3"  # type: ignore[union-attr]
