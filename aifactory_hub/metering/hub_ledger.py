"""The hub's own ledger: a second witness, so that what happens while the job service is away is not lost.

It is a file beside what else the hub keeps, and not in JupyterHub's database: two writers of one SQLite file would wait
for each other. The service takes from it what it missed itself; so only the last days are kept.
"""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, func, select

from ..store.database import open_db, writing
from ..store.ledger import Ledger
from ..store.usage_tables import HoldRow, UsageEventRow, UsageHandoverRow, UsagePositionRow

FILE = "usage.sqlite"
# Facts of one answer.
MOST = 2000
_KEEP = 7 * 86400
_TABLES = tuple(row.__table__ for row in (UsageEventRow, HoldRow, UsagePositionRow, UsageHandoverRow))


class HubLedger(Ledger):
    """A ledger in a file of its own. ``id`` tells it from one that was lost and begun anew. Methods block."""

    def __init__(self, db: Engine, folder: Path) -> None:
        super().__init__(db)
        UsageEventRow.metadata.create_all(db, tables=list(_TABLES))  # type: ignore[arg-type]
        name = folder / f"{FILE}.id"
        if not name.exists():
            name.write_text(secrets.token_hex(8))
        self.id = name.read_text()

    @classmethod
    def open(cls, folder: Path | None) -> HubLedger:
        """The ledger in ``folder``; None, or a folder that can't be written to: one that lasts as long as the pod."""
        where = folder or Path(tempfile.mkdtemp(prefix="aifactory-usage-"))
        try:
            where.mkdir(parents=True, exist_ok=True)
            return cls(open_db(f"sqlite:///{where / FILE}"), where)
        except OSError:
            other = Path(tempfile.mkdtemp(prefix="aifactory-usage-"))
            return cls(open_db(f"sqlite:///{other / FILE}"), other)

    def forget(self, now: float | None = None) -> int:
        """Remove the facts of pods that ended days ago; how many. The service has them by now.

        The last fact stays: the numbers go on from it.
        """
        before = int((time.time() if now is None else now) - _KEEP)
        old = select(HoldRow.pod).where(HoldRow.end < before)
        with writing(self.db) as connection:
            last = connection.scalar(select(func.max(UsageEventRow.seq)))
            facts = delete(UsageEventRow).where(UsageEventRow.pod.in_(old), UsageEventRow.seq < last)
            gone = connection.execute(facts).rowcount
            connection.execute(delete(HoldRow).where(HoldRow.end < before))
        return gone

    def answer(self, after: int) -> dict[str, Any]:
        """What the hub tells the service: the facts after this number, in order, at most ``MOST``."""
        rows = self.events_after(after, MOST)
        return {"id": self.id, "facts": rows, "more": len(rows) == MOST}


def read_answer(text: bytes) -> tuple[str, list[dict[str, Any]], bool]:
    """The ledger's id, the rows, and whether there are more. Raises ValueError for what is no answer of the hub."""
    try:
        said = json.loads(text)
        return str(said["id"]), list(said["facts"]), bool(said["more"])
    except (LookupError, TypeError) as error:
        raise ValueError(f"the hub's answer lacks {error}") from error
