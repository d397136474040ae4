"""Objects of a tenant's API: exactly the fields that are read, each with its type and its bounds.

A team may run any API server. Whoever reads one of its objects gets it from here as plain JSON of these fields, or an
ApiNonsense: a name is a name, a number fits into 32 bits, a time is a time, and text is printable and short. Fields
that are not named here are skipped unread. A field that was left out, or is null, is left out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from .. import constants
from .text import printable

Json = dict[str, Any]

Name = Annotated[str, Meta(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\Z")]
Uid = Annotated[str, Meta(max_length=128, pattern=r"^[A-Za-z0-9-]*\Z")]
Number = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Time = Annotated[datetime, Meta(tz=True)]
Scalar = str | int | float | bool | None
_ExitCode = Annotated[str, Meta(pattern=r"^-?[0-9]{1,9}\Z")]
_Packed = Annotated[str, Meta(max_length=2 * 2**20)]


class TenantObject(msgspec.Struct, omit_defaults=True, gc=False):
    """The base of all shapes."""


class Labels(TenantObject):
    """Only ours."""

    hub: str | None = msgspec.field(default=None, name=constants.LABEL_HUB)
    owner_kind: str | None = msgspec.field(default=None, name=constants.LABEL_OWNER_KIND)
    owner: str | None = msgspec.field(default=None, name=constants.LABEL_OWNER)


class Annotations(TenantObject):
    """Descriptions of what a team publishes, the step that a pod of Argo's is, and whose a claim is."""

    username: str | None = msgspec.field(default=None, name="hub.jupyter.org/username")
    files: str | None = msgspec.field(default=None, name=constants.ANNOTATION_FILES)

    argo_description: str | None = msgspec.field(default=None, name="workflows.argoproj.io/description")
    argo_title: str | None = msgspec.field(default=None, name="workflows.argoproj.io/title")
    argo_node: str | None = msgspec.field(default=None, name="workflows.argoproj.io/node-name")
    trainer_description: str | None = msgspec.field(default=None, name="trainer.kubeflow.org/description")


class ObjectLabels(TenantObject):
    """What a template of pods is marked with."""

    annotations: Annotations | None = None


class ObjectMetadata(TenantObject):
    """Of any object."""

    name: Name
    namespace: str | None = None
    uid: Uid | None = None
    generation: int | None = None
    labels: Labels | None = None
    annotations: Annotations | None = None
    creationTimestamp: Time | None = None
    deletionTimestamp: Time | None = None


class AnyObject(TenantObject):
    """What an object of any kind is called, whose it is and how old."""

    metadata: ObjectMetadata


class Condition(TenantObject):
    """One of a status."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None


class Counts(TenantObject):
    """Pods of one of a run's jobs."""

    ready: Number | None = None
    active: Number | None = None


class NodeOutputs(TenantObject):
    """Of a step of a workflow."""

    exitCode: _ExitCode | None = None


class WorkflowNode(TenantObject):
    """A step of an Argo Workflow, or what groups steps."""

    id: Name | None = None
    name: str | None = None
    displayName: str | None = None
    type: str | None = None
    phase: str | None = None
    message: str | None = None
    startedAt: Time | None = None
    finishedAt: Time | None = None
    outputs: NodeOutputs | None = None


WorkflowNodes = Annotated[dict[str, WorkflowNode], Meta(max_length=20_000)]


class RunStatus(TenantObject):
    """The statuses of Jobs, JobSets, TrainJobs and Workflows, as far as engines read them."""

    conditions: Annotated[list[Condition], Meta(max_length=100)] | None = None
    ready: Number | None = None
    active: Number | None = None
    replicatedJobsStatus: Annotated[list[Counts], Meta(max_length=100)] | None = None
    jobsStatus: Annotated[list[Counts], Meta(max_length=100)] | None = None
    phase: str | None = None
    message: str | None = None
    nodes: WorkflowNodes | None = None
    compressedNodes: _Packed | None = None


class RunObject(AnyObject):
    """The object that is a run, of any engine."""

    status: RunStatus | None = None


class ServingContainer(TenantObject):
    """Of a Deployment's pods."""

    name: Name
    image: str | None = None
    command: Annotated[list[str], Meta(max_length=100)] | None = None


class ServingPodSpec(TenantObject):
    """Of a Deployment's pods."""

    containers: Annotated[list[ServingContainer], Meta(max_length=50)] | None = None


class ServingTemplate(TenantObject):
    """Of a Deployment's pods."""

    metadata: ObjectLabels | None = None
    spec: ServingPodSpec | None = None


class ServingSpec(TenantObject):
    """Of a Deployment."""

    replicas: Number | None = None
    template: ServingTemplate | None = None


class ServingStatus(TenantObject):
    """Of a Deployment."""

    readyReplicas: Number | None = None
    observedGeneration: int | None = None


class ServingDeployment(AnyObject):
    """An apps/v1 Deployment, as far as it is compared with what was made."""

    spec: ServingSpec | None = None
    status: ServingStatus | None = None


class ServiceSpec(TenantObject):
    """Of a Service."""

    selector: Annotated[dict[str, str], Meta(max_length=20)] | None = None


class ServingService(AnyObject):
    """A Service, as far as it is asked where it leads."""

    spec: ServiceSpec | None = None


class Ended(TenantObject):
    """How a container ended, or what it waits for."""

    exitCode: Number | None = None
    reason: str | None = None
    message: str | None = None


class ContainerState(TenantObject):
    """Of a pod's container."""

    terminated: Ended | None = None
    waiting: Ended | None = None


class ContainerStatus(TenantObject):
    """Of a pod's container."""

    state: ContainerState | None = None


class PodStatus(TenantObject):
    """As the tenant's API tells it."""

    phase: str | None = None
    reason: str | None = None
    message: str | None = None
    startTime: Time | None = None
    containerStatuses: Annotated[list[ContainerStatus], Meta(max_length=100)] | None = None


class VirtualPod(AnyObject):
    """A pod inside a vCluster."""

    status: PodStatus | None = None


class EnvironmentVariable(TenantObject):
    """Of a container."""

    name: str
    value: str | None = None


class NotebookContainer(TenantObject):
    """Of a notebook's pod."""

    name: Name
    env: Annotated[list[EnvironmentVariable], Meta(max_length=1000)] | None = None


class NotebookSpec(TenantObject):
    """Of a notebook's pod."""

    containers: Annotated[list[NotebookContainer], Meta(max_length=50)]


class NotebookPod(AnyObject):
    """A notebook's pod with what it was given to speak to the hub."""

    spec: NotebookSpec | None = None


class Involved(TenantObject):
    """What an event is about."""

    name: str | None = None


class EventObject(TenantObject):
    """A core/v1 event."""

    involvedObject: Involved | None = None
    reason: str | None = None
    message: str | None = None
    note: str | None = None


class ValueSource(TenantObject):
    """Where a parameter's value comes from."""

    default: Scalar = None


class TemplateParameter(TenantObject):
    """One that a WorkflowTemplate asks for."""

    name: Annotated[str, Meta(min_length=1, max_length=253)]
    value: Scalar = None
    default: Scalar = None
    description: str | None = None
    enum: Annotated[list[Scalar], Meta(max_length=500)] | None = None
    valueFrom: ValueSource | None = None


class TemplateArguments(TenantObject):
    """Of a WorkflowTemplate."""

    parameters: Annotated[list[TemplateParameter], Meta(max_length=200)] | None = None


class TemplateSpec(TenantObject):
    """Of a WorkflowTemplate."""

    arguments: TemplateArguments | None = None


class Template(AnyObject):
    """What a team publishes for an engine: a WorkflowTemplate or a TrainingRuntime."""

    spec: TemplateSpec | None = None


def plain(obj: TenantObject) -> Json:
    """The fields as JSON: text printable and cut, times as ISO 8601."""
    result: Json = tidied(msgspec.to_builtins(obj))
    return result


def tidied(value: Any) -> Any:
    """JSON of one of these shapes, with all text printable and cut. The shapes are a few levels deep."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        # Base64, which is read by clusters.packed.
        return {key: each if key == "compressedNodes" else tidied(each) for key, each in value.items()}
    if isinstance(value, list):
        return [tidied(each) for each in value]
    return value
