"""tenants.yaml changes while the job service runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.clusters import HostWatch
from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_hub.domain.room import RoomLimits
from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.engines.base import Site
from aifactory_hub.registry import RegistryProvider
from aifactory_hub.service.request_types import Submission
from aifactory_hub.service.submissions import SubmitResult

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import RunningService, make_registry, running_service
from ..support.tenants import SMALL, make_tenant
from ..support.uploads import sha256
from .world import MIG, World

ROBOTS = make_tenant("robots", quota={SMALL: 1})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def provider_of(where: World | RunningService) -> RegistryProvider:
    return where.service.provider if isinstance(where, World) else where.context.provider


def change(where: World | RunningService, **teams: Tenant | None) -> None:
    """As a new tenants.yaml does it; None takes a team away."""
    provider = provider_of(where)
    wanted = {**provider.registry.tenants, **teams}
    provider.take(replace(provider.registry, tenants={name: t for name, t in wanted.items() if t is not None}))


def change_jobs(world: World, **limits: Any) -> None:
    provider = provider_of(world)
    provider.take(replace(provider.registry, jobs=replace(provider.registry.jobs, **limits)))


async def test_a_job_of_a_new_team_runs_and_one_of_a_team_that_goes_says_so(world: World) -> None:
    change(world, robots=ROBOTS)
    job_id = await world.submit(tenant="robots")
    assert await world.state(job_id) == ("STARTING", None)
    assert (await world.service.team_loads.of({"robots": None}))["robots"].borrowable == {}
    change(world, robots=None)
    assert await world.state(job_id) == ("STARTING", "team robots is not in tenants.yaml any more")
    refused = await world.service.submissions.submit("ada", "robots", asked())
    assert isinstance(refused, Refusal) and refused.reason is RefusalReason.NOT_A_MEMBER
    other = await world.submit("other")
    assert await world.state(other) == ("STARTING", None), "the others go on"
    change(world, robots=ROBOTS)
    assert await world.state(job_id) == ("STARTING", None)


def asked(**more: Any) -> Submission:
    return Submission(**{"command": "python train.py", "profile": MIG, "key": "asked", **more})


async def test_a_team_that_goes_is_forgotten_when_it_has_no_live_job(world: World) -> None:
    change(world, robots=ROBOTS)
    job_id = await world.submit(tenant="robots")
    await world.settle()
    change(world, robots=None)
    _, forget = world.service.periodic_tasks.calls["removed teams"]
    await forget()
    assert len(await world.admission.tickets("robots")) == 1
    change(world, robots=ROBOTS)
    world.service.jobs.ask_cancel(job_id, by="ada", now=world.clock())
    await world.settle()
    change(world, robots=None)
    await forget()
    with pytest.raises(Exception, match="not in the tenant registry"):
        await world.admission.tickets("robots")


async def test_what_a_job_may_and_takes_follows(world: World) -> None:
    refused = await world.service.submissions.submit("ada", "nlp", asked(notify=["http://hooks.internal/x"]))
    assert isinstance(refused, Refusal)
    change_jobs(world, webhook_hosts=("hooks.internal",), image="job:2", room_per_person=5, max_log=1, keep_logs=7)
    taken = await world.service.submissions.submit("ada", "nlp", asked(notify=["http://hooks.internal/x"]))
    assert isinstance(taken, SubmitResult) and taken.job.spec.image in (None, "job:2")
    assert world.service.messenger.internal() == ("hooks.internal",)
    registry = world.service.registry
    assert world.service.room._limits == RoomLimits(5, registry.jobs.room_per_team, registry.jobs.keep_free)
    assert world.service.spool._limit == 1
    assert world.service.reconciler._w.registry is registry


async def test_retention_goes_by_the_file_of_now(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    world.service.jobs.ask_cancel(job_id, by="ada", now=world.clock())
    await world.settle()
    _, clean = world.service.periodic_tasks.calls["retention"]
    world.clock.pass_by(100)
    await clean()
    assert world.job(job_id).log_dropped_at is None
    change_jobs(world, keep_logs=50)
    await clean()
    assert world.job(job_id).log_dropped_at is not None


async def test_a_larger_quota_admits_what_waited(world: World) -> None:
    change(world, nlp=make_tenant("nlp", quota={SMALL: 1}))
    jobs = [await world.submit(key) for key in ("a", "b")]
    assert [(await world.state(job_id))[0] for job_id in jobs] == ["STARTING", "QUEUED"]
    change(world, nlp=make_tenant("nlp", quota={SMALL: 2}))
    assert [(await world.state(job_id))[0] for job_id in jobs] == ["STARTING", "STARTING"]


async def test_over_http_a_new_team_is_there_and_a_removed_one_is_refused_and_nothing_is_a_500(
    tmp_path: Path, hub: FakeHub
) -> None:
    hub.add("rob", "rob", scopes_for("robots"), groups=["tenant-robots"])
    async with running_service(tmp_path, hub=hub, reconciling=False) as service, service.http("rob") as http:
        body = {"command": "true", "profile": MIG, "key": "k", "tenant": "robots"}
        assert (await http.post("/jobs", json=body)).status_code == 403
        change(service, robots=ROBOTS)
        made = await http.post("/jobs", json=body)
        assert made.status_code == 201, made.text
        job = made.json()["id"]
        change(service, robots=None)
        for path in (f"/jobs/{job}", f"/jobs/{job}/logs", "/jobs", "/quota", "/tenants/robots/profiles", "/schedules"):
            assert (await http.get(path)).status_code in (200, 403, 404), path
        assert (await http.get("/jobs")).json().get("jobs", []) == []
        assert (await http.post("/jobs/dry-run", json=body)).status_code == 403


async def test_health_says_whether_the_file_is_in_use_and_the_site_s_token_reads_why_not(
    tmp_path: Path, hub: FakeHub
) -> None:
    async with running_service(tmp_path, hub=hub, reconciling=False) as service, service.http("site") as http:
        object.__setattr__(service.context, "site_token_hash", sha256(b"site"))
        provider = service.context.provider
        states: dict[str, dict[str, Any]] = {
            "in use": {},
            "refused": {"trouble": "t:3: nlp"},
            "waits": {"trouble": "t:3: nlp", "waits": True},
        }
        for state, changed in states.items():
            provider._status = replace(provider.status, **changed)
            health = await http.get("/health")
            assert health.json()["tenants_file"] == state and health.status_code == 200
            assert "nlp" not in health.text, "anybody may ask"
            assert (await http.get("/site/tenants-file")).json()["trouble"] == changed.get("trouble", "")
        async with service.http("ada") as other:
            assert (await other.get("/site/tenants-file")).status_code == 403


def test_engines_look_the_teams_up_as_they_are() -> None:
    provider = RegistryProvider(make_registry())
    site = Site("test", provider.tenants, watch=HostWatch.__new__(HostWatch))
    provider.take(replace(provider.registry, tenants={"robots": ROBOTS}))
    assert list(site.tenants) == ["robots"] and site.tenants["robots"] is ROBOTS
