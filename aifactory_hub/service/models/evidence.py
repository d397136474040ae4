"""Gathers the evidence of a version."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ...domain.formatting import iso_millis
from ...domain.lineage import Direction, Graph, walk
from ...domain.models import ModelFacts, ModelVersion
from ...signing.dsse import BadEnvelope, read_envelope
from ...signing.evidence import ChainRow, Evidence, write_evidence
from ...signing.keys import KeyFacts
from ...store.statements import covered_text, hash_before, statements_of
from .desk import ModelDesk
from .registrar import signed_name

_DEPTH = 8


def evidence_of(
    desk: ModelDesk, model: ModelFacts, version: ModelVersion, tenants: Collection[str], now: float
) -> bytes:
    """The evidence as a file. Blocks. Raises ValueError where the version's row has been tampered with."""
    registry = desk.registry
    rows = [found for row in statements_of(registry.db, version.id) if (found := _row(desk, row)) is not None]
    reader = desk.lineage()
    graph = walk(reader.version_node(version), Direction.BOTH, _DEPTH, reader.look, tenants)
    used = {row.envelope.key for row in rows}
    keys: list[KeyFacts] = [key for key in registry.keys().values() if key.id in used]
    evidence = Evidence(
        name=f"{signed_name(model)} version {version.number}",
        files=registry.files(version.id),
        rows=rows,
        keys=keys,
        about=_about(desk, model, version, now),
        lineage=_lineage(graph),
    )
    return write_evidence(evidence)


def _lineage(graph: Graph) -> dict[str, Any]:
    names = ("id", "kind", "label", "digest", "known", "foreign")
    return {
        "nodes": [{**{name: getattr(node, name) for name in names}, "kind": node.kind.value} for node in graph.nodes],
        "edges": [{"before": e.before, "after": e.after, "how": e.how, "known": e.known} for e in graph.edges],
        "cut": graph.cut,
    }


def _row(desk: ModelDesk, row: Mapping[str, Any]) -> ChainRow | None:
    try:
        envelope = read_envelope(row["envelope"])
    except BadEnvelope:
        return None
    before = hash_before(desk.registry.db, row["number"])
    return ChainRow(row["number"], row["kind"], envelope, before, covered_text(row), row["hash"])


def _about(desk: ModelDesk, model: ModelFacts, version: ModelVersion, now: float) -> dict[str, Any]:
    moves = [move for move in desk.registry.moves(model.id) if version.id in (move.before, move.after)]
    return {
        "written": iso_millis(now),
        "team": model.tenant,
        "model": model.name,
        "version": version.number,
        "state": version.state.value,
        "why": version.why,
        "registered": {"by": version.by, "at": iso_millis(version.at), "job": version.job, "note": version.note},
        "runs_code": list(version.runs_code),
        "history": [
            {
                "statement": move.number,
                "alias": move.alias,
                "kind": move.kind.value,
                "by": move.by,
                "at": iso_millis(move.at),
                "reason": move.reason,
                "approval": move.approval,
            }
            for move in moves
        ],
    }
