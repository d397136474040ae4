"""The chain of signed statements: numbered, only ever added to, each row with a hash that covers the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select

from ..domain.statements import Material, materials_in
from ..signing.dsse import BadEnvelope, read_envelope
from .ledger_rows import FIRST, chained, covered_bytes
from .model_tables import ModelMaterialRow, StatementRow

# Columns in the order in which the hash covers them.
COVERED = ("number", "kind", "subject", "version", "key", "at", "envelope")
FILES, PROVENANCE, DECISION, KEYS = "files", "provenance", "decision", "keys"
_READ = 1000
_STATEMENTS = StatementRow.__table__


@dataclass(frozen=True, slots=True)
class Draft:
    """A statement that is signed and not yet in the chain; see StatementRow."""

    kind: str
    subject: str
    version: str | None
    key: str
    envelope: str


@dataclass(frozen=True, slots=True)
class ChainState:
    """What reading all of the chain has shown: how many statements there are, the hash of the last one, and the first
    thing that is wrong, None if nothing is."""

    statements: int
    head: str
    problem: str | None = None


def append(connection: Connection, drafts: Sequence[Draft], at: float) -> list[int]:
    """Add these statements to the chain; their numbers. One process at a time (see lease), one thread at a time."""
    number, before = head(connection)
    rows = []
    for draft in drafts:
        number += 1
        row: dict[str, Any] = {
            "number": number,
            "kind": draft.kind,
            "subject": draft.subject,
            "version": draft.version,
            "key": draft.key,
            "at": at,
            "envelope": draft.envelope,
        }
        before = row_hash(before, row)
        rows.append({**row, "hash": before})
    if rows:
        connection.execute(insert(StatementRow), rows)
        note_materials(connection, rows)
    return [row["number"] for row in rows]


def note_materials(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write down what versions were made from, so that it can be asked for the other way round. It follows from the
    signed provenance of these rows, and is replaced by a later one's."""
    for row in rows:
        if row["kind"] != PROVENANCE or row["version"] is None:
            continue
        connection.execute(delete(ModelMaterialRow).where(ModelMaterialRow.version == row["version"]))
        found = {(each.kind, each.name): each for each in _materials(row["envelope"])}
        if found:
            values = [{"version": row["version"], **_material_values(each)} for each in found.values()]
            connection.execute(insert(ModelMaterialRow), values)


def _materials(envelope: str) -> list[Material]:
    try:
        return materials_in(read_envelope(envelope).statement().get("predicate"))
    except BadEnvelope:
        return []


def _material_values(material: Material) -> dict[str, Any]:
    digest = next(iter(material.digest.values()), "")
    return {"kind": material.kind, "name": material.name[:512], "digest": digest[:128], "known": material.known}


def head(connection: Connection) -> tuple[int, str]:
    """The number and hash of the last statement; 0 and "" before the first."""
    query = select(StatementRow.number, StatementRow.hash).order_by(StatementRow.number.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return (0, FIRST) if row is None else (row.number, row.hash)


def row_hash(before: str, row: Mapping[str, Any]) -> str:
    """The hash of a row that comes after the row with the hash ``before``."""
    return chained(before, [row[name] for name in COVERED])


def read_chain(db: Engine) -> ChainState:
    """Whether every statement is as it was written and none is missing. Reads all of them."""
    number, before = 0, FIRST
    with db.connect() as connection:
        while rows := _after(connection, number, _READ):
            for row in rows:
                if row["number"] != number + 1:
                    words = f"after statement {number} comes {row['number']}: what was between them is missing"
                    return ChainState(number, before, words)
                if row_hash(before, row) != row["hash"]:
                    return ChainState(number, before, f"statement {row['number']} is not as it was written")
                number, before = row["number"], row["hash"]
    return ChainState(number, before)


def statements_after(db: Engine, number: int, limit: int) -> list[dict[str, Any]]:
    """Rows in their order."""
    with db.connect() as connection:
        return _after(connection, number, limit)


def statements_of(db: Engine, version: str) -> list[dict[str, Any]]:
    """All statements about a version, in their order."""
    query = select(_STATEMENTS).where(StatementRow.version == version).order_by(StatementRow.number)
    with db.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def _after(connection: Connection, number: int, limit: int) -> list[dict[str, Any]]:
    query = select(_STATEMENTS).where(StatementRow.number > number).order_by(StatementRow.number).limit(limit)
    return [dict(row._mapping) for row in connection.execute(query)]


def covered_text(row: Mapping[str, Any]) -> str:
    """What the hash of a row covers besides the hash before it."""
    return covered_bytes([row[name] for name in COVERED]).decode()


def hash_before(db: Engine, number: int) -> str:
    """The hash of the statement before this one."""
    with db.connect() as connection:
        return str(connection.scalar(select(StatementRow.hash).where(StatementRow.number == number - 1)) or FIRST)
