"""Rows of models to values and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping, select

from ..domain.models import AliasMove, ModelFacts, ModelVersion, MoveKind, VersionState
from ..signing.keys import KeyFacts
from ..signing.manifest import FileEntry, FileSet
from .model_tables import AliasMoveRow, ModelRow, ModelVersionRow, SigningKeyRow

Row = RowMapping | Mapping[str, Any]

_VERSION = tuple(column.name for column in ModelVersionRow.__table__.c if column.name != "files")
# All of a version but its list of files, which may be long.
VERSIONS = select(*(ModelVersionRow.__table__.c[name] for name in _VERSION))
MOVES = select(AliasMoveRow.__table__)
MODELS = select(ModelRow.__table__)
KEYS = select(SigningKeyRow.__table__)


def model_of(row: Row) -> ModelFacts:
    """The model of a row."""
    return ModelFacts(**{name: row[name] for name in ModelFacts.__slots__})


def version_of(row: Row) -> ModelVersion:
    """The version of a row."""
    values = {name: row[name] for name in _VERSION}
    return ModelVersion(**{**values, "state": VersionState(row["state"]), "runs_code": tuple(row["runs_code"])})


def version_values(version: ModelVersion, files: FileSet) -> dict[str, Any]:
    """The row of a version."""
    values = {name: getattr(version, name) for name in _VERSION}
    values |= {"state": version.state.value, "runs_code": list(version.runs_code), "formats": dict(version.formats)}
    return {**values, "files": [[file.name, file.size, file.sha256] for file in files.files]}


def files_of_row(rows: list[list[Any]]) -> FileSet:
    """The files of a version's row. Raises ValueError."""
    return FileSet.of(FileEntry(*row) for row in rows)


def move_of(row: Row) -> AliasMove:
    """The move of a row."""
    return AliasMove(**{name: row[name] for name in AliasMove.__slots__} | {"kind": MoveKind(row["kind"])})


def move_values(move: AliasMove) -> dict[str, Any]:
    """The row of a move."""
    return {name: getattr(move, name) for name in AliasMove.__slots__} | {"kind": move.kind.value}


def key_of(row: Row) -> KeyFacts:
    """The key of a row."""
    return KeyFacts(row["id"], row["public"], row["first"], row["last"], row["revoked"], row["why"])
