"""The steps of one capability on the test cluster, one after another: a table, and a figure as the last line."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from .processes import HubUnderTest
from .rig import Rig, clear_tenants, finish, open_rig
from .table import Step, Table


class Site(Protocol):
    """What the steps are given."""

    @property
    def hub(self) -> HubUnderTest: ...


S = TypeVar("S", bound=Site)


@dataclass(frozen=True)
class Story(Generic[S]):
    """``simulated`` says what of the cluster is not real. Without ``go_on``, a step that fails is the last one."""

    name: str
    simulated: str
    steps: Sequence[tuple[str, Callable[[S, Step], None]]]
    site: Callable[[Rig, Path], AbstractContextManager[S]]
    go_on: bool = False

    def run(self) -> int:
        """Run it on a cluster without anybody's objects, which stays so; the exit status."""
        rig, folder = open_rig(), Path(tempfile.mkdtemp(prefix=f"aifactory-{self.name}-"))
        print(self.simulated, flush=True)
        clear_tenants(rig.cluster)
        table = Table(len(self.steps))
        try:
            with self.site(rig, folder) as site:
                self._tell(site, table)
        finally:
            clear_tenants(rig.cluster)
        status = finish(folder, good=table.passed == table.total)
        print(f"{self.name}: {table.passed} of {table.total}", flush=True)
        return status

    def _tell(self, site: S, table: Table) -> None:
        for number, (title, body) in enumerate(self.steps, start=1):
            if not table.run(number, title, partial(body, site)):
                print(f"--- the end of the service's log\n{site.hub.log_tail('service', 40)}", flush=True)
                if not self.go_on:
                    return
