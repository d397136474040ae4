"""Engines with the controllers that they are for, in a tenant's vCluster of the test cluster, with the job service's
own rights there and no others."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from aifactory_hub.domain.blocked_pods import Blocked
from aifactory_hub.domain.jobs import JobRun, JobState, StepState
from aifactory_hub.engines.argo_workflow import ArgoWorkflowEngine
from aifactory_hub.engines.jobset import JobSetEngine
from aifactory_hub.engines.trainjob import TrainJobEngine

from ..cluster import engines
from ..cluster.settings import layout
from ..support.real_cluster import running_cluster
from ..support.real_runs import TENANT, install_engines, pipeline_of, run_of, spec, until

pytestmark = pytest.mark.cluster


async def test_a_jobset_s_nodes_start_together_find_each_other_and_end_together() -> None:
    install_engines("jobset")
    script = """
if [ "$PET_NODE_RANK" = 0 ]; then
  python3 -c 'import socket; s = socket.create_server(("", 29500)); c, _ = s.accept(); print(c.recv(9).decode())'
else
  python3 - <<'END'
import os, socket, time
for _ in range(600):
    try:
        first = socket.create_connection((os.environ["MASTER_ADDR"], 29500), 2)
        first.send(b"rank " + os.environ["PET_NODE_RANK"].encode())
        break
    except OSError:
        time.sleep(0.2)
else:
    raise SystemExit("the first node was not reached")
END
fi
"""
    async with pipeline_of(JobSetEngine) as runner, run_of(runner, spec(script, nodes=2)) as wanted:
        run = await until(runner, wanted, lambda run: run.state.final)
        log = await runner.logs(TENANT, wanted.run_id, limit_bytes=9999)
        assert (run.state, log) == (JobState.SUCCEEDED, "rank 1\n")
        assert [(step.name, step.state) for step in run.steps] == [
            ("node 0", StepState.SUCCEEDED),
            ("node 1", StepState.SUCCEEDED),
        ]
        assert [seen.run_id for seen in await runner.runs(TENANT)] == [wanted.run_id]


async def test_one_node_of_a_jobset_that_fails_ends_all_and_is_named() -> None:
    install_engines("jobset")
    script = 'test "$PET_NODE_RANK" = 0 && exec sleep 600; exit 3'
    async with pipeline_of(JobSetEngine) as runner, run_of(runner, spec(script, nodes=2)) as wanted:
        run = await until(runner, wanted, lambda run: run.state.final)
    assert (run.state, run.exit_code) == (JobState.FAILED, 3)
    assert run.reason == "node 1: the command ended with exit code 3"


async def test_a_trainjob_runs_on_a_runtime_that_the_team_has_published() -> None:
    install_engines("jobset", "trainjob")
    script = 'echo "node $AIFACTORY_NODE of $AIFACTORY_NODES"; test -f "$AIFACTORY_SECRETS/token"; touch /tmp/x'
    async with pipeline_of(TrainJobEngine) as runner:
        assert "plain" in [each.name for each in await runner.published(TENANT)]
        async with run_of(runner, spec(script, nodes=2, template="plain")) as wanted:
            run = await until(runner, wanted, lambda run: run.state.final)
            log = await runner.logs(TENANT, wanted.run_id, limit_bytes=9999)
            assert (run.state, log) == (JobState.SUCCEEDED, "node 0 of 2\n")
            assert len(run.steps) == 2


TEMPLATE = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "WorkflowTemplate",
    "metadata": {"name": "greet", "namespace": "jobs", "annotations": {"workflows.argoproj.io/description": "Greets."}},
    "spec": {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "who"}, {"name": "code", "value": "0"}]},
        "templates": [
            {
                "name": "main",
                "steps": [
                    [{"name": "first", "template": "say", "arguments": {"parameters": [{"name": "n", "value": "1"}]}}],
                    [{"name": "second", "template": "say", "arguments": {"parameters": [{"name": "n", "value": "2"}]}}],
                ],
            },
            {
                "name": "say",
                "inputs": {"parameters": [{"name": "n"}]},
                "container": {
                    "image": "IMAGE",
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c"],
                    "args": [
                        "echo {{inputs.parameters.n}} {{workflow.parameters.who}};"
                        " test ! -e /var/run/secrets/kubernetes.io;"
                        " test {{inputs.parameters.n}} = 1 || exit {{workflow.parameters.code}}"
                    ],
                    # More than the ticket: it gets what the ticket was for.
                    "resources": {"limits": {"memory": "3Gi", "nvidia.com/mig-3g.40gb": "1"}},
                },
            },
        ],
    },
}


@pytest.mark.parametrize(("code", "state"), [("0", JobState.SUCCEEDED), ("7", JobState.FAILED)])
async def test_a_workflow_of_a_published_template_is_followed_step_by_step(code: str, state: JobState) -> None:
    install_engines("argo-workflow")
    text = json.dumps(TEMPLATE).replace("IMAGE", running_cluster().notebook_image)
    engines.allow_service(layout(), TENANT, text)
    asked = spec("", template="greet", parameters={"who": "ada", "code": code})
    async with pipeline_of(ArgoWorkflowEngine) as runner:
        (greet,) = [each for each in await runner.published(TENANT) if each.name == "greet"]
        assert (greet.description, [p.name for p in greet.parameters]) == ("Greets.", ["who", "code"])
        async with run_of(runner, asked) as wanted:
            run = await until(runner, wanted, lambda run: run.state.final)
            log = await runner.logs(TENANT, wanted.run_id, limit_bytes=9999)
            assert run.state is state, (run, log)
            assert [step.name for step in run.steps] == ["first", "second"]
            assert run.steps[0].state is StepState.SUCCEEDED
            assert "1 ada\n" in log
            assert "2 ada\n" in log
            if code != "0":
                assert (run.exit_code, run.steps[1].state) == (7, StepState.FAILED)
                assert "step second failed" in str(run.reason)


async def test_a_later_step_that_the_host_refuses_blocks_the_workflow_and_says_why() -> None:
    install_engines("argo-workflow")
    template = json.loads(json.dumps(TEMPLATE).replace("IMAGE", running_cluster().notebook_image))
    template["metadata"]["name"] = "refused"
    main, say = template["spec"]["templates"]
    main["steps"][1][0]["template"] = "other"
    other = {**say, "name": "other", "container": {**say["container"], "image": "registry.invalid/other:1"}}
    template["spec"]["templates"].append(other)
    engines.allow_service(layout(), TENANT, json.dumps(template))
    asked = spec("", template="refused", parameters={"who": "ada"})
    async with pipeline_of(ArgoWorkflowEngine) as runner, run_of(runner, asked) as wanted:
        run = await until(runner, wanted, lambda run: run.blocked is Blocked.REFUSED or run.state.final)
        assert (run.state, run.blocked) == (JobState.RUNNING, Blocked.REFUSED), run
        assert [step.state for step in run.steps] == [StepState.SUCCEEDED, StepState.PENDING]
        assert str(run.reason).startswith("step second: the host cluster does not take its pod: ")
        assert "image registry.invalid/other:1 is not allowed here" in str(run.reason)
        assert run.blocked_after is not None and run.blocked_after >= 1


async def test_a_workflow_that_is_deleted_leaves_no_pod() -> None:
    install_engines("argo-workflow")
    engines.allow_service(layout(), TENANT, json.dumps(TEMPLATE).replace("IMAGE", running_cluster().notebook_image))
    text = json.dumps(TEMPLATE).replace("IMAGE", running_cluster().notebook_image).replace("echo", "sleep 600; echo")
    engines.allow_service(layout(), TENANT, text.replace('"greet"', '"slow"'))
    asked = spec("", template="slow", parameters={"who": "ada"})
    async with pipeline_of(ArgoWorkflowEngine) as runner:
        async with run_of(runner, asked) as wanted:
            run = await until(runner, wanted, lambda run: run.state is JobState.RUNNING)
            assert [(step.name, step.state) for step in run.steps] == [("first", StepState.RUNNING)]
        assert not (await runner.get(TENANT, wanted.run_id)).exists


@pytest.mark.parametrize("engine", ["jobset", "trainjob"])
async def test_a_run_on_several_nodes_that_is_cancelled_tells_its_nodes_and_leaves_nothing(engine: str) -> None:
    """Preempted, suspended and cancelled is one thing to an engine: the run is deleted while it runs."""
    install_engines("jobset", *({engine} - {"jobset"}))
    kind: Any = {"jobset": JobSetEngine, "trainjob": TrainJobEngine}[engine]
    asked = {"nodes": 2, "template": "plain"} if engine == "trainjob" else {"nodes": 2}
    script = "trap 'echo told to stop; exit 0' TERM; echo begun; while :; do sleep 0.2; done"
    async with pipeline_of(kind) as runner, run_of(runner, spec(script, **asked)) as wanted:
        run = await until(runner, wanted, _both_run)
        assert run.state is JobState.RUNNING
        await runner.delete(TENANT, wanted.run_id)
        assert not (await runner.get(TENANT, wanted.run_id)).exists
        async with asyncio.timeout(60):
            while not await runner.pods_gone(TENANT, wanted.run_id):
                await asyncio.sleep(0.2)
        assert wanted.run_id not in [seen.run_id for seen in await runner.runs(TENANT)]
        # The same run again, as a service does that was killed before it had noted the deletion.
        await runner.delete(TENANT, wanted.run_id)


def _both_run(run: JobRun) -> bool:
    return [step.state for step in run.steps] == [StepState.RUNNING, StepState.RUNNING]
