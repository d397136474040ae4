"""What running servers said of themselves last. In memory: after a restart nothing is known until they speak again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from ...domain.idle import Report, heard

# Servers that are remembered; those that spoke longest ago are forgotten first.
MOST = 50_000


@dataclass(frozen=True, slots=True)
class ServerKey:
    """Whose server: the user's name at the hub, and the server's, empty for the default one."""

    user: str
    server: str


class Activity:
    """The last report of each server."""

    def __init__(self) -> None:
        self._reports: OrderedDict[ServerKey, Report] = OrderedDict()

    def take(self, key: ServerKey, said: Report) -> None:
        """Remember what the server says now, and since when it has said the same."""
        self._reports[key] = heard(self._reports.get(key), said)
        self._reports.move_to_end(key)
        while len(self._reports) > MOST:
            self._reports.popitem(last=False)

    def of(self, key: ServerKey) -> Report | None:
        """What it said last; None where it has said nothing."""
        return self._reports.get(key)

    def servers(self) -> list[ServerKey]:
        """All that have spoken."""
        return list(self._reports)
