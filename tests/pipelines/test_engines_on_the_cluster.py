"""Jobs' pods on the test cluster, with the job service's own rights: what a refused one says, and what one may do."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from aifactory_hub import constants
from aifactory_hub.clusters import HostWatch, TenantClients
from aifactory_hub.domain.jobs import JobRun, JobState
from aifactory_hub.domain.starting import Blocked
from aifactory_hub.pipelines.base import Pipeline, PipelineRefused, RunSpec, Site
from aifactory_hub.pipelines.jobset import JobSetPipeline
from aifactory_hub.pipelines.kubernetes_job import KubernetesJobPipeline
from aifactory_profiles import Resources

from ..support.real_cluster import as_hub, running_cluster
from ..support.tenants import make_tenant

pytestmark = pytest.mark.cluster

HUB = "engines-test"
TENANT = "nlp"


def spec(script: str, **changes: Any) -> RunSpec:
    values: dict[str, Any] = {
        "tenant": TENANT,
        "run_id": f"e{secrets.token_hex(5)}",
        "image": running_cluster().notebook_image,
        "argv": ("sh", "-c", script),
        "environment": {},
        "secret_files": {"token": "very-secret"},
        "requests": Resources(50, 64 * 2**20),
        "limits": Resources(500, 128 * 2**20),
        "deadline_seconds": 300,
    }
    return RunSpec(**{**values, **changes})


@asynccontextmanager
async def pipeline_of(kind: Any) -> AsyncIterator[Pipeline]:
    tenants = {name: make_tenant(name) for name in running_cluster().tenants}
    async with as_hub() as host:
        watch, clients = HostWatch(host), TenantClients(host, tenants, constants.JOBS_SECRET)
        watch.start()
        assert await watch.synced(10)
        try:
            yield kind(Site(HUB, tenants, clients, watch))
        finally:
            await clients.close()
            await watch.stop()


@asynccontextmanager
async def run_of(pipeline: Pipeline, wanted: RunSpec) -> AsyncIterator[RunSpec]:
    """The run, removed at the end with all its pods."""
    await pipeline.create(wanted)
    try:
        yield wanted
    finally:
        await pipeline.delete(TENANT, wanted.run_id)
        async with asyncio.timeout(120):
            while not await pipeline.pods_gone(TENANT, wanted.run_id):
                await asyncio.sleep(0.2)


async def until(pipeline: Pipeline, wanted: RunSpec, holds: Any, *, seconds: float = 180) -> JobRun:
    run = await pipeline.get(TENANT, wanted.run_id)
    try:
        async with asyncio.timeout(seconds):
            while not holds(run):
                await asyncio.sleep(0.3)
                run = await pipeline.get(TENANT, wanted.run_id)
    except TimeoutError:
        pytest.fail(f"not so after {seconds:g} s: {run}")
    return run


async def test_a_pod_that_a_policy_refuses_says_which_rule() -> None:
    async with (
        pipeline_of(KubernetesJobPipeline) as pipeline,
        run_of(pipeline, spec("true", image="elsewhere.invalid/none:1")) as wanted,
    ):
        run = await until(pipeline, wanted, lambda run: run.reason is not None, seconds=60)
    assert (run.state, run.blocked) == (JobState.PENDING, Blocked.REFUSED)
    assert "image elsewhere.invalid/none:1 is not allowed here" in str(run.reason)


async def test_an_image_that_is_not_there_is_named() -> None:
    async with (
        pipeline_of(KubernetesJobPipeline) as pipeline,
        run_of(pipeline, spec("true", image="registry.invalid/none:1")) as wanted,
    ):
        run = await until(pipeline, wanted, lambda run: run.blocked is not None, seconds=60)
    assert (run.state, run.blocked) == (JobState.PENDING, Blocked.STUCK)
    assert "ImagePull" in str(run.reason)


async def test_a_job_writes_to_its_folders_only_and_has_no_token_of_the_cluster() -> None:
    script = """
for folder in "$AIFACTORY_WORK" /tmp /dev/shm; do touch $folder/x || exit 3; done
for folder in / /usr /home /var/tmp /etc; do touch $folder/x 2>/dev/null && exit 4; done
test ! -e /var/run/secrets/kubernetes.io || exit 5
grep -q '^NoNewPrivs:.*1' /proc/self/status && grep -q '^Seccomp:.*2' /proc/self/status || exit 6
grep -q '^CapEff:.*0000000000000000' /proc/self/status && test "$(id -u)" = 1000 || exit 7
df -m /dev/shm | tail -1
"""
    async with pipeline_of(KubernetesJobPipeline) as pipeline, run_of(pipeline, spec(script)) as wanted:
        run = await until(pipeline, wanted, lambda run: run.state.final)
        assert run.state is JobState.SUCCEEDED, (run, await pipeline.logs(TENANT, wanted.run_id, limit_bytes=9999))


async def test_an_engine_that_is_not_installed_refuses_the_run() -> None:
    # The other tenant's vCluster has no controllers and gives no rights on their objects.
    async with pipeline_of(JobSetPipeline) as pipeline:
        with pytest.raises(PipelineRefused, match=r"refused the job|is not installed there"):
            await pipeline.create(replace(spec("true", nodes=2), tenant="vision"))
