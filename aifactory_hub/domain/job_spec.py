"""What a job was asked to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .jobs import JobRequest, Priority


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What to run and how, as decided when the job was submitted. It never changes; a retry takes it over whole.

    ``backend`` is the engine, None in jobs of old services for their first one. ``image`` None: the site's own, as it
    is when an attempt starts. ``input_size`` is in bytes, ``max_seconds`` is how long an attempt may run and
    ``retry_backoff`` how many seconds the first retry waits. ``outputs`` None: all new and changed files.
    ``secrets`` are the names of those that each attempt is given as variables. ``sweep_parameters`` are the values that
    tell it from the others of its sweep, for people to read.
    """

    name: str
    command: str
    profile: str
    environment: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] | None = None
    input_sha256: str | None = None
    input_size: int = 0
    backend: str | None = None
    image: str | None = None
    priority: str = Priority.NORMAL.value
    max_seconds: int | None = None
    max_retries: int = 0
    retry_backoff: float = 30.0
    notify: tuple[str, ...] = ()
    nodes: int = 1
    template: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, Any] | None = None
    provenance: Mapping[str, Any] | None = None
    sweep: str | None = None
    sweep_parameters: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()

    @property
    def request(self) -> JobRequest:
        """The request that asks for this again."""
        return JobRequest(
            command=self.command,
            profile=self.profile,
            name=self.name,
            environment=self.environment,
            engine=self.backend,
            nodes=self.nodes,
            template=self.template,
            parameters=self.parameters,
            files=self.input_sha256 is not None,
        )
