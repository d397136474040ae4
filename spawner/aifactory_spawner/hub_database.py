"""The identity of the hub's database, by which another database, or an older copy, is recognized.

One row in a table of our own, in JupyterHub's database: an id that was made once, the number of the last ticket that
was filed, and the tickets that are held for a person. Each ticket carries id and number. A ticket of another id was
filed by a hub with another database; one of our id with a higher number was filed after the backup that this database
is from.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, Text, insert, select, update

from aifactory_hub.domain.orphans import is_behind
from aifactory_hub.domain.tickets import Ticket

log = logging.getLogger(__name__)

_TABLE = Table(
    "aifactory_hub_database",
    MetaData(),
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("id", String(32), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("held", Text, nullable=False),
)
_ROW = 1


class HubDatabase:
    """Reads and writes the row, in the hub's own session ``db``. Makes table and row if they are not there."""

    def __init__(self, db: Any) -> None:
        self._db = db
        _TABLE.create(db.connection(), checkfirst=True)
        found = db.execute(select(_TABLE).where(_TABLE.c.row == _ROW)).first()
        if found is None:
            self.id, self.sequence = secrets.token_hex(8), 0
            self.held: frozenset[str] = frozenset()
            db.execute(insert(_TABLE).values(row=_ROW, id=self.id, sequence=0, held="[]"))
            log.info("the hub's database has got the id %s", self.id)
        else:
            self.id, self.sequence = found.id, found.sequence
            self.held = frozenset(json.loads(found.held))
        db.commit()

    def next_sequence(self) -> int:
        """The number of a new ticket, stored before the ticket is filed."""
        self.sequence += 1
        self._store(sequence=self.sequence)
        return self.sequence

    def look_for_restore(self, tickets: Iterable[Ticket]) -> None:
        """Take a new id when there are tickets that this database filed and does not remember."""
        if not is_behind(tickets, self.id, self.sequence):
            return
        before, self.id = self.id, secrets.token_hex(8)
        log.error(
            "the hub's database (%s) is older than the tickets that it filed: it was restored from a backup. It is %s "
            "from now on, and tickets from before that no server holds are held",
            before,
            self.id,
        )
        self._store(id=self.id)

    def keep_held(self, keys: Collection[str]) -> None:
        """Remember the tickets that are held, so that they are after a restart, too."""
        if self.held != frozenset(keys):
            self.held = frozenset(keys)
            self._store(held=json.dumps(sorted(self.held)))

    def _store(self, **values: Any) -> None:
        self._db.execute(update(_TABLE).where(_TABLE.c.row == _ROW).values(**values))
        self._db.commit()
