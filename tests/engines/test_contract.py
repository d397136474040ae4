"""What every engine under_test must do. The half on the real cluster is marked ``cluster``."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from aifactory_hub import constants
from aifactory_hub.clusters import HostWatch, TenantClients
from aifactory_hub.domain.jobs import JobRun, JobState
from aifactory_hub.domain.tenants import Tenant, VCluster
from aifactory_hub.engines.base import Engine, EngineRefused, EngineUnavailable, RunSpec, Site
from aifactory_hub.engines.kubernetes_job import KubernetesJobEngine
from aifactory_hub.engines.local import LocalEngine
from aifactory_profiles import Resources

from ..support.local_runs import LocalRuns
from ..support.real_cluster import as_hub, running_cluster
from ..support.tenants import make_tenant

HUB = "contract-test"


@dataclass
class EngineUnderTest:
    """An engine under test, the image it can run, and the runs to remove at the end."""

    engine: Engine
    image: str
    made: list[tuple[str, str]]

    def spec(self, script: str, *, tenant: str = "nlp", run_id: str | None = None, **changes: object) -> RunSpec:
        run_id = run_id or f"c{secrets.token_hex(5)}"
        self.made.append((tenant, run_id))
        values: dict[str, object] = {
            "tenant": tenant,
            "run_id": run_id,
            "image": self.image,
            "argv": ("sh", "-c", script),
            "environment": {"COLOR": "red"},
            "secret_files": {"token": "very-secret"},
            "requests": Resources(50, 64 * 2**20),
            "limits": Resources(500, 128 * 2**20),
            "deadline_seconds": 120,
        }
        return RunSpec(**{**values, **changes})  # type: ignore[arg-type]

    async def until(self, spec: RunSpec, holds: Callable[[JobRun], bool], *, seconds: float = 60) -> JobRun:
        end = time.monotonic() + seconds
        while True:
            run = await self.engine.get(spec.tenant, spec.run_id)
            if holds(run):
                return run
            assert time.monotonic() < end, run
            await asyncio.sleep(0.1)

    async def gone(self, spec: RunSpec) -> None:
        async with asyncio.timeout(90):
            while not await self.engine.pods_gone(spec.tenant, spec.run_id):
                await asyncio.sleep(0.1)


@pytest.fixture(params=["memory", "local", pytest.param("cluster", marks=pytest.mark.cluster)])
async def under_test(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EngineUnderTest]:
    if request.param == "memory":
        runs = LocalRuns(tmp_path)
        yield EngineUnderTest(runs.engine, "any", [])
        runs.close()
        return
    if request.param == "local":
        engine = LocalEngine(tmp_path)
        yield EngineUnderTest(engine, "any", [])
        await engine.close()
        return
    async for real in real_engine():
        yield real


@pytest.fixture
async def cluster() -> AsyncIterator[EngineUnderTest]:
    async for real in real_engine():
        yield real


async def real_engine() -> AsyncIterator[EngineUnderTest]:
    found = running_cluster()
    tenants: dict[str, Tenant] = {name: make_tenant(name) for name in found.tenants}
    async with as_hub() as host:
        watch = HostWatch(host)
        clients = TenantClients(host, tenants, constants.JOBS_SECRET)
        watch.start()
        assert await watch.synced(10)
        engine = KubernetesJobEngine(Site(HUB, tenants, clients, watch))
        under_test = EngineUnderTest(engine, found.notebook_image, [])
        try:
            yield under_test
        finally:
            for tenant, run_id in under_test.made:
                await engine.delete(tenant, run_id)
            await clients.close()
            await watch.stop()


async def test_a_run_that_ends_well_succeeds_and_its_log_can_be_read(under_test: EngineUnderTest) -> None:
    spec = under_test.spec("echo color $COLOR; echo done")
    created = await under_test.engine.create(spec)
    assert created.exists and created.uid
    run = await under_test.until(spec, lambda run: run.state.final)
    assert (run.state, run.exit_code, run.reason) == (JobState.SUCCEEDED, 0, None)
    assert await under_test.engine.logs("nlp", spec.run_id, limit_bytes=10_000) == "color red\ndone\n"
    assert await under_test.engine.logs("nlp", spec.run_id, limit_bytes=5) == "done\n"


async def test_a_run_that_ends_badly_fails_with_its_exit_code(under_test: EngineUnderTest) -> None:
    spec = under_test.spec("exit 3")
    await under_test.engine.create(spec)
    run = await under_test.until(spec, lambda run: run.state.final)
    assert (run.state, run.exit_code) == (JobState.FAILED, 3)
    assert run.reason == "the command ended with exit code 3"


async def test_creating_twice_makes_one_run(under_test: EngineUnderTest) -> None:
    spec = under_test.spec("sleep 30")
    first = await under_test.engine.create(spec)
    second = await under_test.engine.create(spec)
    assert first.uid == second.uid


async def test_a_run_is_seen_running_and_goes_when_deleted(under_test: EngineUnderTest) -> None:
    spec = under_test.spec("trap 'exit 0' TERM; while true; do sleep 0.1; done")
    await under_test.engine.create(spec)
    await under_test.until(spec, lambda run: run.state is JobState.RUNNING)
    assert not await under_test.engine.pods_gone("nlp", spec.run_id)
    await under_test.engine.delete("nlp", spec.run_id)
    await under_test.gone(spec)
    assert not (await under_test.engine.get("nlp", spec.run_id)).exists


async def test_what_never_was_is_not_there(under_test: EngineUnderTest) -> None:
    # An engine may say why a run that it does not know is not there.
    assert replace(await under_test.engine.get("nlp", "h5unknown"), reason=None) == JobRun(exists=False)
    assert await under_test.engine.logs("nlp", "h5unknown", limit_bytes=100) == ""
    assert await under_test.engine.pods_gone("nlp", "h5unknown")
    await under_test.engine.delete("nlp", "h5unknown")


async def test_secret_files_are_in_the_folder_that_the_environment_names(under_test: EngineUnderTest) -> None:
    spec = under_test.spec('cat "$AIFACTORY_SECRETS/token"; env | grep -c very-secret')
    await under_test.engine.create(spec)
    await under_test.until(spec, lambda run: run.state.final)
    assert await under_test.engine.logs("nlp", spec.run_id, limit_bytes=1000) == "very-secret0\n"


async def test_two_tenants_runs_of_one_id_are_two_runs(under_test: EngineUnderTest) -> None:
    mine = under_test.spec("exit 0")
    theirs = under_test.spec("exit 5", tenant="vision", run_id=mine.run_id)
    await asyncio.gather(under_test.engine.create(mine), under_test.engine.create(theirs))
    assert (await under_test.until(mine, lambda run: run.state.final)).state is JobState.SUCCEEDED
    assert (await under_test.until(theirs, lambda run: run.state.final)).exit_code == 5


# What only a real cluster can do.


@pytest.mark.cluster
async def test_too_much_memory_is_named_as_the_reason(cluster: EngineUnderTest) -> None:
    spec = cluster.spec("python3 -c 'x = bytearray(512 * 2**20); print(len(x))'")
    await cluster.engine.create(spec)
    run = await cluster.until(spec, lambda run: run.state.final)
    assert run.state is JobState.FAILED
    assert run.reason == "it used more memory than its profile has (OOMKilled)"


@pytest.mark.cluster
async def test_a_deadline_that_passes_is_named_as_the_reason(cluster: EngineUnderTest) -> None:
    spec = cluster.spec("trap 'exit 1' TERM; while true; do sleep 0.1; done", deadline_seconds=3)
    await cluster.engine.create(spec)
    run = await cluster.until(spec, lambda run: run.state.final, seconds=90)
    assert (run.state, run.reason) == (JobState.FAILED, "it ran longer than jobs may (DeadlineExceeded)")


@pytest.mark.cluster
async def test_an_image_that_is_not_there_is_named_while_it_waits(cluster: EngineUnderTest) -> None:
    spec = cluster.spec("true", image="registry.invalid/none:1")
    await cluster.engine.create(spec)
    run = await cluster.until(spec, lambda run: run.reason is not None)
    assert run.state is JobState.PENDING
    assert run.reason is not None and "ImagePull" in run.reason


@pytest.mark.cluster
async def test_a_run_that_another_hub_made_is_never_adopted_nor_removed(cluster: EngineUnderTest) -> None:
    spec = cluster.spec("sleep 30")
    await cluster.engine.create(spec)
    engine = cluster.engine
    assert isinstance(engine, KubernetesJobEngine)
    other = KubernetesJobEngine(replace(engine._site, hub="another-hub"))
    with pytest.raises(EngineRefused, match="already that is not ours"):
        await other.create(spec)
    await other.delete("nlp", spec.run_id)
    assert (await engine.get("nlp", spec.run_id)).exists
    assert not (await other.get("nlp", spec.run_id)).exists


@pytest.mark.cluster
async def test_a_tenant_whose_vcluster_is_not_there_is_unavailable(cluster: EngineUnderTest) -> None:
    engine = cluster.engine
    assert isinstance(engine, KubernetesJobEngine)
    ghost = Tenant("ghost", "Ghost", VCluster("vc-nlp", "no-such-service"), (), ())
    engine._site = replace(engine._site, tenants={**engine._site.tenants, "ghost": ghost})
    engine._clients = TenantClients(engine._clients._host, engine._site.tenants, constants.JOBS_SECRET)
    with pytest.raises(EngineUnavailable):
        await engine.get("ghost", "h5any")
    await engine._clients.close()
