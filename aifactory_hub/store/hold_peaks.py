"""The most that pods were seen to use: what advice about sizes follows from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Engine, delete, func, insert, select

from ..domain.right_size import Peaks, more
from .database import writing
from .idle_tables import HoldPeaksRow

_PEAKS = HoldPeaksRow.__table__
_AT_ONCE = 500


class HoldPeaks:
    """Methods block for a moment and are safe in any thread."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def add(self, seen: Mapping[str, Peaks], now: float) -> None:
        """What these pods used lately, on top of what is known of them."""
        known = self.of(list(seen))
        with writing(self._db) as connection:
            for pods in _some(list(seen)):
                connection.execute(delete(HoldPeaksRow).where(HoldPeaksRow.pod.in_(pods)))
            rows = [_values(pod, more(known.get(pod, Peaks()), peaks), now) for pod, peaks in seen.items()]
            if rows:
                connection.execute(insert(HoldPeaksRow), rows)

    def of(self, pods: Sequence[str]) -> dict[str, Peaks]:
        """Of those of the pods of which something is known."""
        found = {}
        with self._db.connect() as connection:
            for some in _some(pods):
                for row in connection.execute(select(_PEAKS).where(HoldPeaksRow.pod.in_(some))):
                    found[row.pod] = Peaks(row.seconds, row.memory, row.engine)
        return found

    def newest(self) -> float | None:
        """When something was noted last; None where nothing was."""
        with self._db.connect() as connection:
            return connection.scalar(select(func.max(HoldPeaksRow.at)))

    def forget(self, *, before: float) -> int:
        """Remove what is older; how many pods went."""
        with writing(self._db) as connection:
            return connection.execute(delete(HoldPeaksRow).where(HoldPeaksRow.at < before)).rowcount


def _values(pod: str, peaks: Peaks, now: float) -> dict[str, object]:
    return {"pod": pod, "seconds": peaks.seconds, "memory": peaks.memory, "engine": peaks.engine, "at": now}


def _some(pods: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(pods), _AT_ONCE):
        yield pods[start : start + _AT_ONCE]
