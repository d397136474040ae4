"""Pods that carry this hub's identity and have no server: told first, removed only where the site says so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aifactory_hub.domain.names import server_pod
from aifactory_spawner.overrides import marks

from .hooks import REMOVE_ORPHANS
from .site import HUB, Site, still_pod, wait_until
from .table import Fault, Row

TENANT, LOST = "nlp", "lost-user"
ANOTHER = "another-hub"
# A hub looks 8 s after its start, again 15 s later, and then once a minute.
SECOND_LOOK = 26.0


@dataclass(frozen=True)
class Leftovers:
    site: Site

    def rows(self) -> list[Row]:
        return [Row("a pod without a server: dry run, then removed", "a server in nlp", self._orphan)]

    def _orphan(self, fault: Fault) -> None:
        site, settings = self.site, self.site.hub.environment
        hers = site.uid(TENANT, "nlp-user")
        with self._pods():
            site.restart()
            begun = time.monotonic()
            told = wait_until(lambda: self._told() == 1, 60)
            fault.check(told, f"it is counted {time.monotonic() - begun:.0f} s after the hub's start", self._told())
            log = site.hub.log_tail("hub", 2000)
            fault.check(f"pod {server_pod(LOST, '')} is this hub's and has no server" in log, "and named in the log")
            # As long as it takes where it is removed.
            time.sleep(max(0.0, SECOND_LOOK - (time.monotonic() - begun)))
            fault.check(site.uid(TENANT, LOST), "and not touched: that is the dry run, which is the default")
            settings[REMOVE_ORPHANS] = "1"
            try:
                site.restart()
                begun = time.monotonic()
                gone = wait_until(lambda: not site.pod(TENANT, LOST), 60)
                seconds = time.monotonic() - begun
                fault.check(gone, f"with remove_orphans it is removed, {seconds:.0f} s after the hub's start")
            finally:
                del settings[REMOVE_ORPHANS]
                site.restart()
            fault.check(wait_until(lambda: self._told() == 0, 30), "and counted no more", self._told())
            fault.check(self._others(), "the pod of the same name scheme that another hub made is not touched")
            fault.check(site.uid(TENANT, "nlp-user") == hers and site.runs("nlp-user"), "and her server runs on")

    def _told(self) -> float | None:
        return self.site.metric("aifactory_orphan_pods", tenant=TENANT)

    def _others(self) -> bool:
        return bool(self.site.inside(TENANT, "get", "pods", "-n", "notebooks", "-l", f"lost={ANOTHER}", "-o", "name"))

    @contextmanager
    def _pods(self) -> Iterator[None]:
        """One with this hub's labels, one with another's."""
        for hub, name in ((HUB, server_pod(LOST, "")), (ANOTHER, server_pod("other-user", ""))):
            labels = {**marks(hub, LOST), "lost": hub}
            self.site.inside(TENANT, "apply", "-f", "-", stdin=still_pod(name, "sleep", "3600", labels=labels))
        try:
            if not wait_until(lambda: self.site.uid(TENANT, LOST), 30):
                raise RuntimeError("the host shows no pod")
            yield
        finally:
            self.site.inside(TENANT, "delete", "pods", "-n", "notebooks", "-l", "lost", "--wait=true")
