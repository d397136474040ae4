"""What a lineage is exported from: a version, its files, the graph above it, and the jobs in that graph."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, UUID, uuid5

from ..signing.manifest import FileEntry
from .jobs import JobState
from .lineage import Graph, Node, NodeKind
from .models import ModelFacts, ModelVersion
from .statements import BuildFacts

_ADDRESS = re.compile(r"https?://[^\s@]+")


def address_in(text: object) -> str:
    """The address of a repository, as whoever submitted a job told it; empty for what is none, or may have a password
    in it."""
    return text if isinstance(text, str) and _ADDRESS.fullmatch(text) else ""


@dataclass(frozen=True, slots=True)
class ExportedJob:
    """A job of the graph: the facts of the attempt that counts, and where its commit is from.

    ``repository`` is what ``address_in`` found, ``branch`` what was told; both are empty where nothing was.
    """

    facts: BuildFacts
    state: JobState
    repository: str = ""
    branch: str = ""

    @property
    def uuid(self) -> UUID:
        """The same for the same attempt of the same service's job."""
        return uuid5(NAMESPACE_URL, f"{self.facts.builder}#{self.facts.job}/{self.facts.attempt}")


@dataclass(frozen=True, slots=True)
class VersionExport:
    """All of it. ``graph`` begins with the node of the version and leads up; ``jobs`` are by the ids of its nodes.

    ``hub`` is the hub's name, ``service`` the service's address, ``at`` is now, in epoch seconds.
    """

    model: ModelFacts
    version: ModelVersion
    files: Sequence[FileEntry]
    graph: Graph
    jobs: Mapping[str, ExportedJob]
    hub: str
    service: str
    service_version: str
    at: float

    @property
    def nodes(self) -> Mapping[str, Node]:
        """By id."""
        return {node.id: node for node in self.graph.nodes}

    def before(self, node_id: str) -> Iterator[Node]:
        """What came directly before this node, each once."""
        nodes = self.nodes
        ids = dict.fromkeys(edge.before for edge in self.graph.edges if edge.after == node_id)
        return (nodes[id] for id in ids)

    def made_by(self, job_id: str) -> Iterator[Node]:
        """The versions that the job with this node's id has made."""
        nodes = self.nodes
        ids = dict.fromkeys(edge.after for edge in self.graph.edges if edge.before == job_id)
        return (nodes[id] for id in ids if nodes[id].kind is NodeKind.VERSION)
