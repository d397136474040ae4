"""Runs as Argo Workflows made from a team's WorkflowTemplates."""

from __future__ import annotations

from ... import constants
from ...domain.engines import EngineFacts, Published
from ...domain.jobs import JobRun
from ...domain.pods import PodFact
from ..base import RunSpec
from ..in_cluster import EVENTS, InClusterPipeline, collection
from ..objects import Object, run_name
from .translate import (
    WORKFLOW_LABEL,
    is_pod_of,
    printed,
    read_published,
    read_run,
    render_workflow,
    step_of_pod,
    step_without_pod,
    with_wait_of,
)

NAME = "argo-workflow"
_TEMPLATES = collection("argoproj.io/v1alpha1", "workflowtemplates")
_PODS = f"/api/v1/namespaces/{constants.JOBS_NAMESPACE}/pods"


class ArgoWorkflowPipeline(InClusterPipeline):
    """See base.Pipeline. Argo's controller must run in the tenant's vCluster (helm-values/argo-workflows.yaml).

    ``nodes`` of a job are how many of its steps may run at once: each gets the whole profile, so that one ticket
    of ``nodes`` profiles covers whatever runs.
    """

    path = collection("argoproj.io/v1alpha1", "workflows")
    pod_label = WORKFLOW_LABEL

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
            return with_wait_of(run, step, await api.get(EVENTS))

    def is_pod(self, run_id: str, name: str) -> bool:
        """A workflow of a single step has one pod of its own name."""
        return is_pod_of(run_id, name)

    async def published(self, tenant: str) -> list[Published]:
        """The WorkflowTemplates in the namespace of jobs; none where Argo is not installed."""
        async with self._api(tenant) as api:
            found = await self._list(api, _TEMPLATES)
        return sorted((read_published(NAME, item) for item in found), key=lambda each: each.name)

    async def logs(self, tenant: str, run_id: str, *, limit_bytes: int) -> str:
        """What the steps printed, one after the other, each under its name."""
        async with self._api(tenant) as api:
            answer = await api.get(_PODS, {"labelSelector": f"{self.pod_label}={run_name(run_id)}"})
            parts = []
            for pod in sorted(answer["items"], key=lambda pod: str((pod.get("status") or {}).get("startTime") or "")):
                text = printed(await self._log_of(api, pod["metadata"]["name"], "main", limit_bytes))
                parts.append(f"=== {step_of_pod(pod)} ===\n{text}" + ("" if text.endswith("\n") or not text else "\n"))
        return "".join(parts).encode()[-limit_bytes:].decode(errors="ignore")
