"""The contract of an engine engine: it runs one attempt of a job in one tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aifactory_profiles import Resources

from .. import constants
from ..clusters.host_watch import HostWatch
from ..clusters.tenant_clients import TenantClients
from ..domain.engines import EngineFacts, Published
from ..domain.jobs import JobRun
from ..domain.tenants import Tenant


class EngineUnavailable(Exception):
    """The tenant's API did not answer, or answered that it can't now. Nothing may be concluded: try again."""


class EngineRefused(Exception):
    """The tenant's API refused the run for good (bad request, forbidden); the text says why."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What to run. ``run_id`` is the job's id: creating twice with one id makes one run.

    ``secret_files`` are mounted read-only (name -> content) and never appear in the pod's spec, environment or
    annotations; the runner finds them in the folder that the environment variable AIFACTORY_SECRETS names.
    ``requests`` and ``limits`` are those of each of its ``nodes``.
    ``template`` and ``parameters`` name something that the tenant has published, for engines that know such things.
    ``kind`` is what the run is of: a job's attempt, or a deployment's release, of which each node is a replica.
    """

    tenant: str
    run_id: str
    image: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    secret_files: Mapping[str, str]
    requests: Resources
    limits: Resources
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[str, ...] = ()  # keys of taints
    labels: Mapping[str, str] = field(default_factory=dict)
    deadline_seconds: int | None = None
    nodes: int = 1
    template: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    kind: str = constants.KIND_JOB


@dataclass(frozen=True, slots=True)
class SeenRun:
    """A run that is there. ``age`` is how long it has been, in seconds."""

    run_id: str
    age: float


class Engine(Protocol):
    """Every method raises EngineUnavailable when the engine does not answer.

    - ``create`` twice with one run_id makes one run; it never adopts a run that is not ours.
    - ``get`` says ``exists=False`` only when the tenant's API said so.
    - ``delete`` of a run that is gone does nothing; afterwards its pods are gone or going.
    """

    @property
    def facts(self) -> EngineFacts:
        """Its name, and what may be asked of it."""

    def render(self, spec: RunSpec) -> list[dict[str, Any]]:
        """The objects that ``create`` would make, without asking anything."""

    async def create(self, spec: RunSpec) -> JobRun:
        """Create the run (and what it needs), or find the one created before."""

    async def get(self, tenant: str, run_id: str) -> JobRun:
        """The run now."""

    async def runs(self, tenant: str) -> list[SeenRun]:
        """All runs of ours in the tenant, whoever remembers them."""

    async def logs(self, tenant: str, run_id: str, *, limit_bytes: int) -> str:
        """The last ``limit_bytes`` of what the run has printed so far; "" when it has no pod yet."""

    async def delete(self, tenant: str, run_id: str) -> None:
        """Remove the run, its pods and its secrets."""

    async def pods_gone(self, tenant: str, run_id: str) -> bool:
        """Whether no pod of the run is left on the host, so that its ticket may be given back."""

    async def published(self, tenant: str) -> list[Published]:
        """What the tenant has published for this engine to run; nothing for most engines."""

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class Site:
    """What an engine may use: ``clients`` and ``watch`` are there on a cluster, ``folder`` where there is none."""

    hub: str
    tenants: Mapping[str, Tenant]
    clients: TenantClients | None = None
    watch: HostWatch | None = None
    folder: Path | None = None


def render_process(spec: RunSpec) -> dict[str, Any]:
    """A run that is a plain process, for engines without objects. Secret files by name only."""
    return {
        "kind": "Process",
        "argv": list(spec.argv),
        "environment": dict(sorted(spec.environment.items())),
        "secretFiles": sorted(spec.secret_files),
        "deadlineSeconds": spec.deadline_seconds,
    }
