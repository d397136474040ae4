"""What every pipeline engine must do. The half on the real cluster is marked ``cluster``."""

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
from aifactory_hub.pipelines.base import Pipeline, PipelineRefused, PipelineUnavailable, RunSpec, Site
from aifactory_hub.pipelines.kubernetes_job import KubernetesJobPipeline
from aifactory_hub.pipelines.local import LocalPipeline
from aifactory_profiles import Resources

from ..support.local_runs import LocalRuns
from ..support.real_cluster import as_hub, running_cluster
from ..support.tenants import make_tenant

HUB = "contract-test"


@dataclass
class Engine:
    """A pipeline under test, the image it can run, and the runs to remove at the end."""

    pipeline: Pipeline
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
            run = await self.pipeline.get(spec.tenant, spec.run_id)
            if holds(run):
                return run
            assert time.monotonic() < end, run
            await asyncio.sleep(0.1)

    async def gone(self, spec: RunSpec) -> None:
        async with asyncio.timeout(90):
            while not await self.pipeline.pods_gone(spec.tenant, spec.run_id):
                await asyncio.sleep(0.1)


@pytest.fixture(params=["memory", "local", pytest.param("cluster", marks=pytest.mark.cluster)])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    if request.param == "memory":
        runs = LocalRuns(tmp_path)
        yield Engine(runs.pipeline, "any", [])
        runs.close()
        return
    if request.param == "local":
        pipeline = LocalPipeline(tmp_path)
        yield Engine(pipeline, "any", [])
        await pipeline.close()
        return
    async for real in real_engine():
        yield real


@pytest.fixture
async def cluster() -> AsyncIterator[Engine]:
    async for real in real_engine():
        yield real


async def real_engine() -> AsyncIterator[Engine]:
    found = running_cluster()
    tenants: dict[str, Tenant] = {name: make_tenant(name) for name in found.tenants}
    async with as_hub() as host:
        watch = HostWatch(host)
        clients = TenantClients(host, tenants, constants.JOBS_SECRET)
        watch.start()
        assert await watch.synced(10)
        pipeline = KubernetesJobPipeline(Site(HUB, tenants, clients, watch))
        engine = Engine(pipeline, found.notebook_image, [])
        try:
            yield engine
        finally:
            for tenant, run_id in engine.made:
                await pipeline.delete(tenant, run_id)
            await clients.close()
            await watch.stop()


async def test_a_run_that_ends_well_succeeds_and_its_log_can_be_read(engine: Engine) -> None:
    spec = engine.spec("echo color $COLOR; echo done")
    created = await engine.pipeline.create(spec)
    assert created.exists and created.uid
    run = await engine.until(spec, lambda run: run.state.final)
    assert (run.state, run.exit_code, run.reason) == (JobState.SUCCEEDED, 0, None)
    assert await engine.pipeline.logs("nlp", spec.run_id, limit_bytes=10_000) == "color red\ndone\n"
    assert await engine.pipeline.logs("nlp", spec.run_id, limit_bytes=5) == "done\n"


async def test_a_run_that_ends_badly_fails_with_its_exit_code(engine: Engine) -> None:
    spec = engine.spec("exit 3")
    await engine.pipeline.create(spec)
    run = await engine.until(spec, lambda run: run.state.final)
    assert (run.state, run.exit_code) == (JobState.FAILED, 3)
    assert run.reason == "the command ended with exit code 3"


async def test_creating_twice_makes_one_run(engine: Engine) -> None:
    spec = engine.spec("sleep 30")
    first = await engine.pipeline.create(spec)
    second = await engine.pipeline.create(spec)
    assert first.uid == second.uid


async def test_a_run_is_seen_running_and_goes_when_deleted(engine: Engine) -> None:
    spec = engine.spec("trap 'exit 0' TERM; while true; do sleep 0.1; done")
    await engine.pipeline.create(spec)
    await engine.until(spec, lambda run: run.state is JobState.RUNNING)
    assert not await engine.pipeline.pods_gone("nlp", spec.run_id)
    await engine.pipeline.delete("nlp", spec.run_id)
    await engine.gone(spec)
    assert not (await engine.pipeline.get("nlp", spec.run_id)).exists


async def test_what_never_was_is_not_there(engine: Engine) -> None:
    assert await engine.pipeline.get("nlp", "h5unknown") == JobRun(exists=False)
    assert await engine.pipeline.logs("nlp", "h5unknown", limit_bytes=100) == ""
    assert await engine.pipeline.pods_gone("nlp", "h5unknown")
    await engine.pipeline.delete("nlp", "h5unknown")


async def test_secret_files_are_in_the_folder_that_the_environment_names(engine: Engine) -> None:
    spec = engine.spec('cat "$AIFACTORY_SECRETS/token"; env | grep -c very-secret')
    await engine.pipeline.create(spec)
    await engine.until(spec, lambda run: run.state.final)
    assert await engine.pipeline.logs("nlp", spec.run_id, limit_bytes=1000) == "very-secret0\n"


async def test_two_tenants_runs_of_one_id_are_two_runs(engine: Engine) -> None:
    mine = engine.spec("exit 0")
    theirs = engine.spec("exit 5", tenant="vision", run_id=mine.run_id)
    await asyncio.gather(engine.pipeline.create(mine), engine.pipeline.create(theirs))
    assert (await engine.until(mine, lambda run: run.state.final)).state is JobState.SUCCEEDED
    assert (await engine.until(theirs, lambda run: run.state.final)).exit_code == 5


# What only a real cluster can do.


@pytest.mark.cluster
async def test_too_much_memory_is_named_as_the_reason(cluster: Engine) -> None:
    spec = cluster.spec("python3 -c 'x = bytearray(512 * 2**20); print(len(x))'")
    await cluster.pipeline.create(spec)
    run = await cluster.until(spec, lambda run: run.state.final)
    assert run.state is JobState.FAILED
    assert run.reason == "it used more memory than its profile has (OOMKilled)"


@pytest.mark.cluster
async def test_a_deadline_that_passes_is_named_as_the_reason(cluster: Engine) -> None:
    spec = cluster.spec("trap 'exit 1' TERM; while true; do sleep 0.1; done", deadline_seconds=3)
    await cluster.pipeline.create(spec)
    run = await cluster.until(spec, lambda run: run.state.final, seconds=90)
    assert (run.state, run.reason) == (JobState.FAILED, "it ran longer than jobs may (DeadlineExceeded)")


@pytest.mark.cluster
async def test_an_image_that_is_not_there_is_named_while_it_waits(cluster: Engine) -> None:
    spec = cluster.spec("true", image="registry.invalid/none:1")
    await cluster.pipeline.create(spec)
    run = await cluster.until(spec, lambda run: run.reason is not None)
    assert run.state is JobState.PENDING
    assert run.reason is not None and "ImagePull" in run.reason


@pytest.mark.cluster
async def test_a_run_that_another_hub_made_is_never_adopted_nor_removed(cluster: Engine) -> None:
    spec = cluster.spec("sleep 30")
    await cluster.pipeline.create(spec)
    pipeline = cluster.pipeline
    assert isinstance(pipeline, KubernetesJobPipeline)
    other = KubernetesJobPipeline(replace(pipeline._site, hub="another-hub"))
    with pytest.raises(PipelineRefused, match="already that is not ours"):
        await other.create(spec)
    await other.delete("nlp", spec.run_id)
    assert (await pipeline.get("nlp", spec.run_id)).exists
    assert not (await other.get("nlp", spec.run_id)).exists


@pytest.mark.cluster
async def test_a_tenant_whose_vcluster_is_not_there_is_unavailable(cluster: Engine) -> None:
    pipeline = cluster.pipeline
    assert isinstance(pipeline, KubernetesJobPipeline)
    ghost = Tenant("ghost", "Ghost", VCluster("vc-nlp", "no-such-service"), (), ())
    pipeline._site = replace(pipeline._site, tenants={**pipeline._site.tenants, "ghost": ghost})
    pipeline._clients = TenantClients(pipeline._clients._host, pipeline._site.tenants, constants.JOBS_SECRET)
    with pytest.raises(PipelineUnavailable):
        await pipeline.get("ghost", "h5any")
    await pipeline._clients.close()
