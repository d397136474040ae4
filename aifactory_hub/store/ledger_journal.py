"""A second memory of the ledger, in the file store: a database that is restored takes what it lacks from here."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

from .files import LEDGER_JOURNAL, FileStore
from .ledger import Ledger

log = logging.getLogger(__name__)

_BATCH = 2000


class LedgerJournal:
    """Each batch of events is a file with the number of its last event. Methods block; one process at a time."""

    def __init__(self, ledger: Ledger, files: FileStore) -> None:
        self._ledger = ledger
        self._files = files
        self._written: int | None = None

    def recover(self) -> int:
        """Add to the ledger what it lacks; how many events. To be called at the start."""
        head = self._ledger.head()
        numbers = [number for number in self._files.journal_numbers(of=LEDGER_JOURNAL) if number > head]
        if not numbers:
            return 0
        try:
            restored = self._ledger.restore(self._rows(numbers))
        except ValueError as error:
            log.error("the ledger can't be made whole from its journal: %s", error)
            return 0
        log.warning("the ledger was behind its journal: %d events were read back", restored)
        return restored

    def flush(self) -> int:
        """Write the events since the last time; how many."""
        if self._written is None:
            self._written = max(self._files.journal_numbers(of=LEDGER_JOURNAL), default=0)
        count = 0
        while rows := self._ledger.events_after(self._written, _BATCH):
            lines = "".join(f"{json.dumps(row)}\n" for row in rows)
            last = int(rows[-1]["seq"])
            self._files.journal_write(last, lines.encode(), of=LEDGER_JOURNAL)
            self._written, count = last, count + len(rows)
        return count

    def _rows(self, numbers: list[int]) -> Iterator[dict[str, Any]]:
        for number in numbers:
            for line in self._files.journal_read(number, of=LEDGER_JOURNAL).splitlines():
                yield json.loads(line)
