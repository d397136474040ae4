"""Jobs' pods on the test cluster, with the job service's own rights: what a refused one says, and what one may do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aifactory_hub.domain.blocked_pods import Blocked
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.engines.base import EngineRefused
from aifactory_hub.engines.jobset import JobSetEngine
from aifactory_hub.engines.kubernetes_job import KubernetesJobEngine

from ..support.real_runs import TENANT, pipeline_of, run_of, spec, until

pytestmark = pytest.mark.cluster


async def test_a_pod_that_a_policy_refuses_says_which_rule() -> None:
    async with (
        pipeline_of(KubernetesJobEngine) as engine,
        run_of(engine, spec("true", image="elsewhere.invalid/none:1")) as wanted,
    ):
        run = await until(engine, wanted, lambda run: run.reason is not None, seconds=60)
    assert (run.state, run.blocked) == (JobState.PENDING, Blocked.REFUSED)
    assert "image elsewhere.invalid/none:1 is not allowed here" in str(run.reason)


async def test_an_image_that_is_not_there_is_named() -> None:
    async with (
        pipeline_of(KubernetesJobEngine) as engine,
        run_of(engine, spec("true", image="registry.invalid/none:1")) as wanted,
    ):
        run = await until(engine, wanted, lambda run: run.blocked is not None, seconds=60)
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
    async with pipeline_of(KubernetesJobEngine) as engine, run_of(engine, spec(script)) as wanted:
        run = await until(engine, wanted, lambda run: run.state.final)
        assert run.state is JobState.SUCCEEDED, (run, await engine.logs(TENANT, wanted.run_id, limit_bytes=9999))


async def test_an_engine_that_is_not_installed_refuses_the_run() -> None:
    # The other tenant's vCluster has no controllers and gives no rights on their objects.
    async with pipeline_of(JobSetEngine) as engine:
        with pytest.raises(EngineRefused, match=r"refused the job|is not installed there"):
            await engine.create(replace(spec("true", nodes=2), tenant="vision"))
