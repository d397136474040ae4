"""The runner of a node that is not the first: it fetches and runs as all do, and leaves the telling to the first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .reporter import Reporter

# Which node of the job's this pod is; the engine sets it where there are several.
NODE_VARIABLE = "AIFACTORY_NODE"


def reporter_class(environment: Mapping[str, str]) -> type[Reporter]:
    """What this node reports with."""
    return Reporter if environment.get(NODE_VARIABLE, "0") == "0" else Follower


class Follower(Reporter):
    """Brings nothing home: files and checkpoints of one name from several nodes would overwrite each other, and a
    job has one log and one result."""

    def put_log(self, content: bytes) -> None:
        """Its output is in its pod's own log."""

    def put_artifact(self, name: str, path: Path) -> None:
        """Only the first node's files are the job's."""

    def delete_artifact(self, name: str) -> None:
        """Not its own."""

    def post_result(self, result: dict[str, Any]) -> None:
        """How it ended, the engine sees."""

    def post_piece(self, offset: int, piece: bytes) -> None:
        """See put_log."""

    def post_progress(self, said: Mapping[str, Any]) -> None:
        """The first node speaks for all."""
