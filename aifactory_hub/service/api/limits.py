"""How much one person, or one job's runner, may have open at once, so that nobody takes the service from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from ..errors import ServiceError


class Kind(StrEnum):
    """What is counted apart."""

    REQUESTS = "requests"
    UPLOADS = "uploads"
    STREAMS = "streams"


MOST_OPEN = {Kind.REQUESTS: 100, Kind.UPLOADS: 8, Kind.STREAMS: 64}
_WHAT_TO_DO = {
    Kind.REQUESTS: "Wait for an answer before you send more",
    Kind.UPLOADS: "Send your files one after the other",
    Kind.STREAMS: "Close one that follows a job",
}


class Limits:
    """Counts what is open, by ``holder``: the name of a person or the id of a job."""

    def __init__(self) -> None:
        self._open: Counter[tuple[Kind, str]] = Counter()

    def open(self, kind: Kind, holder: str) -> int:
        """How many are open now."""
        return self._open[kind, holder]

    def check(self, kind: Kind, holder: str) -> None:
        """Raises ServiceError (429) when there are as many as there may be."""
        most = MOST_OPEN[kind]
        if self._open[kind, holder] >= most:
            message = f"You have {most} {kind.value} open at once, which is the limit. {_WHAT_TO_DO[kind]}."
            raise ServiceError(429, "too-many-open", message, numbers={"limit": most})

    def take(self, kind: Kind, holder: str) -> Callable[[], None]:
        """Count one more; what is returned counts it off again. Raises ServiceError (429) when there are too many."""
        self.check(kind, holder)
        key = (kind, holder)
        self._open[key] += 1

        def release() -> None:
            self._open[key] -= 1
            if self._open[key] <= 0:
                del self._open[key]

        return release
