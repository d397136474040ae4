"""Runs as Argo Workflows made from a team's WorkflowTemplates."""

from __future__ import annotations

from ...clusters.tenant_objects import Template
from ...domain.engines import READ_VERBS, RUN_VERBS, Account, EngineFacts, EngineNeeds, Published, Rule
from ...domain.jobs import JobRun
from ...domain.pods import PodFact
from ..base import RunSpec
from ..in_cluster import InClusterEngine, collection
from ..objects import Object
from .translate import (
    WORKFLOW_LABEL,
    is_pod_of,
    printed,
    read_published,
    read_run,
    render_workflow,
    step_of_pod,
    step_of_pod_name,
    step_without_pod,
    with_wait_of,
)

NAME = "argo-workflow"
_TEMPLATES = collection("argoproj.io/v1alpha1", "workflowtemplates")
# Steps whose output a log has, the last ones.
_MOST_LOGS = 100


class ArgoWorkflowEngine(InClusterEngine):
    """See base.Engine. Argo's controller must run in the tenant's vCluster (helm-values/argo-workflows.yaml).

    ``nodes`` of a job are how many of its steps may run at once: each gets the whole profile, so that one ticket
    of ``nodes`` profiles covers whatever runs.
    """

    path = collection("argoproj.io/v1alpha1", "workflows")
    pod_label = WORKFLOW_LABEL
    needs = EngineNeeds(
        rules=(
            Rule("argoproj.io", ("workflows",), RUN_VERBS),
            Rule("argoproj.io", ("workflowtemplates",), READ_VERBS),
        ),
        # Argo's controller opens its watches without a version. On vCluster's embedded database the API server takes
        # that for a list as a stream, which it can't serve there, and ends them: the controller saw each change up to a
        # minute late (Kubernetes 1.35, Argo 4.0.5). Without the gate it is a watch.
        api_server=("--feature-gates=WatchList=false",),
        # Argo mounts the token into its own container of a step alone: the step itself has none.
        reporter=Account("aifactory-workflow", (Rule("argoproj.io", ("workflowtaskresults",), ("create", "patch")),)),
    )

    @property
    def facts(self) -> EngineFacts:
        """Templates instead of commands."""
        summary = "A WorkflowTemplate of the team, step by step; nodes are the steps that may run at once."
        return EngineFacts(NAME, summary, publishes="WorkflowTemplate", runs_commands=False, most_nodes=100)

    def render(self, spec: RunSpec) -> list[Object]:
        """The Workflow alone: there is no runner in its steps that a token would be for."""
        return [self.render_main(spec)]

    def render_main(self, spec: RunSpec) -> Object:
        """A Workflow that refers to the template."""
        return render_workflow(spec, self._hub)

    def observe(self, obj: Object, pods: list[PodFact]) -> JobRun:
        """What the Workflow's nodes say: Argo reads the pods itself."""
        return read_run(obj)

    async def get(self, tenant: str, run_id: str) -> JobRun:
        """Also why the host has no pod of a step that is to begin after others: Argo says only that it is pending."""
        run = await super().get(tenant, run_id)
        step = step_without_pod(run, self._host_pods(tenant, run_id))
        if step is None:
            return run
        async with self._api(tenant) as api:
            names = [pod["metadata"]["name"] for pod in await self._virtual_pods(api, run_id)]
            mine = [name for name in names if step_of_pod_name(name) == step_of_pod_name(str(step.pod))]
            return with_wait_of(run, step, [event for name in mine[:1] for event in await self._events_of(api, name)])

    def is_pod(self, run_id: str, name: str) -> bool:
        """A workflow of a single step has one pod of its own name."""
        return is_pod_of(run_id, name)

    async def published(self, tenant: str) -> list[Published]:
        """The WorkflowTemplates in the namespace of jobs; none where Argo is not installed."""
        async with self._api(tenant) as api:
            found = await self._list(api, _TEMPLATES, Template)
        return sorted((read_published(NAME, item) for item in found), key=lambda each: each.name)

    async def logs(self, tenant: str, run_id: str, *, limit_bytes: int) -> str:
        """What the steps printed, one after the other, each under its name."""
        parts: list[str] = []
        left = limit_bytes
        async with self._api(tenant) as api:
            pods = await self._virtual_pods(api, run_id)
            for pod in sorted(pods, key=_started, reverse=True)[:_MOST_LOGS]:
                text = printed(await self._log_of(api, pod["metadata"]["name"], "main", left))
                parts.append(f"=== {step_of_pod(pod)} ===\n{text}" + ("" if text.endswith("\n") or not text else "\n"))
                left -= len(parts[-1].encode())
                if left <= 0:
                    break
        return "".join(reversed(parts)).encode()[-limit_bytes:].decode(errors="ignore")


def _started(pod: Object) -> str:
    return str((pod.get("status") or {}).get("startTime") or "")
