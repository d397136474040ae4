"""What engines with several nodes share: how nodes find each other, and what their pods say together. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..domain.blocked_pods import Blocked, wait_of_pod
from ..domain.jobs import JobRun, JobState, RunStep, StepState
from ..domain.pods import PodFact
from .base import RunSpec
from .objects import OVERDUE, Object, why_failed

# The replicated job that runs the command.
NODE = "node"
INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
# torchrun's own port.
PORT = 29500


def first_address(jobset: str) -> str:
    """Where the first node is reached: JobSet makes a headless Service of its own name."""
    return f"{jobset}-{NODE}-0-0.{jobset}"


def nodes_job(jobset: str) -> str:
    """The name of the Job that JobSet makes for the nodes."""
    return f"{jobset}-{NODE}-0"


def node_environment(spec: RunSpec, first: str) -> list[Object]:
    """What torchrun (PET_...) and most other launchers read; AIFACTORY_NODE is what the job's runner reads."""
    index = {"valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX_ANNOTATION}']"}}}
    plain = {
        "AIFACTORY_NODES": str(spec.nodes),
        "MASTER_ADDR": first,
        "MASTER_PORT": str(PORT),
        "PET_MASTER_ADDR": first,
        "PET_MASTER_PORT": str(PORT),
        "PET_NNODES": str(spec.nodes),
    }
    numbers = [{"name": name, **index} for name in ("AIFACTORY_NODE", "PET_NODE_RANK")]
    return [*({"name": name, "value": value} for name, value in sorted(plain.items())), *numbers]


@dataclass(frozen=True, slots=True)
class Nodes:
    """The pods of a run, by the number of their node."""

    pods: tuple[tuple[int, PodFact], ...]

    @property
    def steps(self) -> tuple[RunStep, ...]:
        """Each node as a step."""
        return tuple(_step(number, pod) for number, pod in self.pods)

    @property
    def first(self) -> str | None:
        """The pod of the first node."""
        return next((pod.name for number, pod in self.pods if number == 0), None)

    @property
    def exit_code(self) -> int | None:
        """Of the node that failed first: the others were stopped for it."""
        pod = self._failed()
        return None if pod is None else pod[1].exit_code

    def why_failed(self, otherwise: str) -> str:
        """In the words of the node that failed first."""
        found = self._failed()
        if found is None:
            return otherwise or "it failed and gave no reason"
        return f"node {found[0]}: {why_failed(found[1], otherwise=otherwise)}"

    def running(self, uid: str | None, *, seen: bool) -> JobRun:
        """A run that has not ended. ``seen``: its engine says that a node runs."""
        if seen or any(pod.phase in ("Running", "Succeeded", "Failed") for _, pod in self.pods):
            return JobRun(True, uid, JobState.RUNNING, pod=self.first, steps=self.steps)
        waits = [(number, wait_of_pod(pod)) for number, pod in self.pods]
        told = next(((number, wait) for number, wait in waits if wait.reason), None)
        blocked: Blocked | None = next((wait.blocked for _, wait in waits if wait.blocked), None)
        reason = None if told is None else f"node {told[0]}: {told[1].reason}"
        return JobRun(True, uid, reason=reason, pod=self.first, blocked=blocked, steps=self.steps)

    def succeeded(self, uid: str | None) -> JobRun:
        """A run whose engine says that all nodes did what they were to."""
        return JobRun(True, uid, JobState.SUCCEEDED, exit_code=0, pod=self.first, steps=self.steps)

    def failed(self, uid: str | None, condition: Object, *, overdue: bool) -> JobRun:
        """A run whose engine says by this condition that it failed."""
        reason = OVERDUE if overdue else self.why_failed(said_by(condition))
        return JobRun(True, uid, JobState.FAILED, self.exit_code, reason, self.first, overdue, steps=self.steps)

    def _failed(self) -> tuple[int, PodFact] | None:
        failed = [(number, pod) for number, pod in self.pods if pod.phase == "Failed"]
        return min(failed, key=lambda each: each[1].finished_at or "~", default=None)


def true_conditions(status: Object) -> dict[str, Object]:
    """The conditions that hold, by type."""
    return {each["type"]: each for each in status.get("conditions") or [] if each["status"] == "True"}


def said_by(condition: Object) -> str:
    """A condition's message, or its reason where it has none."""
    return str(condition.get("message") or condition.get("reason") or "")


def read_nodes(pods: Iterable[PodFact], number_of: Callable[[str], int | None]) -> Nodes:
    """The newest pod of each node."""
    found: dict[int, PodFact] = {}
    for pod in sorted(pods, key=lambda each: each.started_at or ""):
        number = number_of(pod.name)
        if number is not None:
            found[number] = pod
    return Nodes(tuple(sorted(found.items())))


def _step(number: int, pod: PodFact) -> RunStep:
    states = {"Running": StepState.RUNNING, "Succeeded": StepState.SUCCEEDED, "Failed": StepState.FAILED}
    state = states.get(pod.phase, StepState.PENDING)
    reason = why_failed(pod, otherwise=None) if state is StepState.FAILED else wait_of_pod(pod).reason
    return RunStep(f"node {number}", state, reason, pod.started_at, pod.finished_at, pod.name)
