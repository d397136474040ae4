"""The contract of a serving engine: it keeps the releases of deployments running, and asks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...domain.release_steps import Served
from ..base import RunSpec, SeenRun


class NotAnswered(Exception):
    """The release gave no answer; the text says why."""


@dataclass(frozen=True, slots=True)
class ServeSpec:
    """A release as it is to run: ``run`` is one replica, of which there are ``run.nodes``. ``deployment`` is the name
    under which it answers once it serves, ``digest`` the manifest digest of its files."""

    run: RunSpec
    deployment: str
    digest: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a release answered."""

    status: int
    body: bytes
    media_type: str = "application/json"


class ServingEngine(Protocol):
    """Every method but ``render`` raises EngineUnavailable when the engine does not answer, EngineRefused for good.

    - ``apply`` makes what the spec says, or puts it back; again and again it changes nothing.
    - ``look`` says ``exists=False`` only when the tenant's API said so.
    - ``remove`` of what is gone does nothing; ``gone`` says that no pod of it is left.
    """

    name: str

    def render(self, spec: ServeSpec) -> list[dict[str, Any]]:
        """The objects that ``apply`` would make, without asking anything."""

    async def apply(self, spec: ServeSpec) -> None:
        """Let the release run as the spec says."""

    async def look(self, spec: ServeSpec) -> Served:
        """What there is of it, beside what the spec says."""

    async def lead(self, spec: ServeSpec) -> None:
        """Let the deployment's name lead to this release."""

    async def unlead(self, tenant: str, deployment: str) -> None:
        """Let the deployment's name lead nowhere."""

    async def remove(self, tenant: str, release: str) -> None:
        """End all of the release."""

    async def gone(self, tenant: str, release: str) -> bool:
        """Whether nothing of it runs any more, so that its ticket may be given back."""

    async def releases(self, tenant: str) -> list[SeenRun]:
        """All releases of ours in the tenant, whoever remembers them."""

    async def ask(self, tenant: str, release: str, path: str, body: Mapping[str, Any]) -> Answer:
        """POST ``body`` to a path of the release. Raises NotAnswered."""

    async def logs(self, tenant: str, release: str, *, limit_bytes: int) -> str:
        """The last of what one of its replicas printed."""

    async def close(self) -> None:
        """Let go of connections."""
