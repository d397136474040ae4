"""What came from what: nodes and edges that follow from the records, walked in both directions within bounds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

# Of a walk: as many steps and nodes at most.
MOST_DEPTH, MOST_NODES = 20, 500


class NodeKind(StrEnum):
    """What a node is."""

    COMMIT = "commit"
    FILES = "files"
    IMAGE = "image"
    TEMPLATE = "template"
    DATA = "data"
    JOB = "job"
    VERSION = "version"
    ALIAS = "alias"
    DEPLOYMENT = "deployment"
    APPROVAL = "approval"
    KEY = "key"


class Direction(StrEnum):
    """Which way to walk: to what it came from, to what came from it, or both."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Node:
    """One thing. ``id`` is its kind and what tells it from others of the kind; ``known`` is verified, declared or
    missing. ``tenant`` is None for what belongs to no team, such as a commit."""

    kind: NodeKind
    id: str
    label: str
    digest: str = ""
    known: str = "verified"
    tenant: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """``after`` came from ``before``; both are ids of nodes. ``how`` is a word for it, such as "made" or "led to"."""

    before: str
    after: str
    how: str
    known: str = "verified"


@dataclass(frozen=True, slots=True)
class Found:
    """What lies around some nodes."""

    nodes: Sequence[Node] = ()
    edges: Sequence[Edge] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """A walk's nodes and edges, in the order in which they were found; ``cut``: there is more than was shown."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    cut: bool = False


# What lies around these nodes, in one direction (UP or DOWN).
Look = Callable[[Sequence[Node], Direction], Found]


def walk(start: Node, direction: Direction, depth: int, look: Look, tenants: Collection[str]) -> Graph:
    """All that is ``depth`` steps away from ``start`` at most. Nodes of teams that are none of ``tenants`` are shown by
    their digests alone, and the walk does not go on from them."""
    ways = [Direction.UP, Direction.DOWN] if direction is Direction.BOTH else [direction]
    nodes: dict[str, Node] = {start.id: start}
    edges: dict[Edge, None] = {}
    cut = False
    for way in ways:
        # Up and down are walked apart: what else came from an ancestor is no relation of what was asked for.
        seen, level = {start.id}, [start]
        for _ in range(min(depth, MOST_DEPTH)):
            found = look([node for node in level if _is_open(node, tenants)], way)
            level = []
            for node in found.nodes:
                if node.id in seen:
                    continue
                if len(nodes) >= MOST_NODES and node.id not in nodes:
                    cut = True
                    continue
                seen.add(node.id)
                nodes.setdefault(node.id, node)
                level.append(node)
            edges |= dict.fromkeys(edge for edge in found.edges if edge.before in nodes and edge.after in nodes)
            if not level:
                break
        else:
            open_ones = [node for node in level if _is_open(node, tenants)]
            cut = cut or any(node.id not in nodes for node in look(open_ones, way).nodes)
    return _hidden(Graph(tuple(nodes.values()), tuple(edges), cut), tenants)


def _is_open(node: Node, tenants: Collection[str]) -> bool:
    return node.tenant is None or node.tenant in tenants


def _hidden(graph: Graph, tenants: Collection[str]) -> Graph:
    """Without what is other teams' own: their names and ids."""
    names = {node.id: foreign_id(node.id) for node in graph.nodes if not _is_open(node, tenants)}
    nodes = tuple(_closed(node, names[node.id]) if node.id in names else node for node in graph.nodes)
    edges: Iterable[Edge] = (
        replace(edge, before=names.get(edge.before, edge.before), after=names.get(edge.after, edge.after))
        for edge in graph.edges
    )
    return Graph(nodes, tuple(edges), graph.cut)


def foreign_id(id: str) -> str:
    """What stands for the id of another team's node: it tells nodes apart and says nothing of them."""
    return f"other:{hashlib.sha256(id.encode()).hexdigest()[:16]}"


def _closed(node: Node, id: str) -> Node:
    label = f"another team's {node.kind.value}"
    return replace(node, id=id, label=label, tenant=None, about={}, foreign=True)
