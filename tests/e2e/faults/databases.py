"""The hub comes back with an empty database, or with an old copy of its own, while notebooks run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

from .site import Site, wait_until
from .table import Fault, Row

# A hub looks 8 s after its start and again 15 s later. What it takes for an orphan both times it ends.
SECOND_LOOK = 26.0
STAY = {"nlp-user": "nlp", "vision-user": "vision"}


@dataclass(frozen=True)
class Databases:
    site: Site

    def rows(self) -> list[Row]:
        running = "a server in nlp and one in vision"
        return [
            Row("the hub's database is empty", running, self._empty),
            Row("the hub's database is restored from before a start", "a server in nlp", self._restored),
        ]

    def _empty(self, fault: Fault) -> None:
        site = self.site
        before = {user: site.uid(tenant, user) for user, tenant in STAY.items()}
        fault.check(all(before.values()), "both run")
        begun = self._comes_back_with(lambda: (site.hub.folder / "hub.sqlite").unlink())
        told = wait_until(lambda: self._held("nlp") >= 1 and self._held("vision") >= 1, 60)
        fault.check(told, f"held and counted {time.monotonic() - begun:.0f} s after the hub's start")
        fault.check(self._is_logged(), "named in the log with what to do")
        self._wait_for_second_look(begun)
        same = {user: site.uid(tenant, user) for user, tenant in STAY.items()}
        fault.check(same == before, "0 notebooks ended: the pods are the same ones", (before, same))
        for user, tenant in STAY.items():
            site.people[user].sign_in()
            outcome = site.start(user, tenant=tenant)
            words = f"{user} starts the server and is connected to it ({outcome.seconds:.1f} s)"
            fault.check(outcome.ready, words, outcome)
        again = {user: site.uid(tenant, user) for user, tenant in STAY.items()}
        fault.check(again == before, "still the same pods", again)
        with site.probed("nlp-user"):
            fault.check(site.has_route("nlp-user"), "and the notebook answers through the proxy, with its old token")

    def _restored(self, fault: Fault) -> None:
        """A backup, then a start, then the backup again."""
        site = self.site
        database, backup = site.hub.folder / "hub.sqlite", site.hub.folder / "backup.sqlite"
        site.hub.kill("hub")
        shutil.copy(database, backup)
        site.hub.start_hub()
        outcome = site.start("nlp-user", "later", tenant="nlp")
        fault.check(outcome.ready, "a second server starts after the backup", outcome)
        later = site.uid("nlp", "nlp-user", "later")
        begun = self._comes_back_with(lambda: shutil.copy(backup, database))
        told = wait_until(lambda: self._held("nlp") == 1, 60)
        fault.check(told, f"held and counted {time.monotonic() - begun:.0f} s after the hub's start", self._held("nlp"))
        self._wait_for_second_look(begun)
        fault.check(site.uid("nlp", "nlp-user", "later") == later, "its pod is the same one")
        fault.check(site.runs("nlp-user"), "the server that the backup knows runs on")
        outcome = site.start("nlp-user", "later", tenant="nlp")
        fault.check(outcome.ready and site.uid("nlp", "nlp-user", "later") == later, "a start connects to it", outcome)
        fault.check(site.stop("nlp-user", "later"), "and a stop ends it")
        fault.check(not site.ticket("nlp", "nlp-user", "later"), "with its ticket")

    def _comes_back_with(self, change: Callable[[], object]) -> float:
        self.site.hub.kill("hub")
        change()
        self.site.hub.start_hub()
        return time.monotonic()

    def _wait_for_second_look(self, begun: float) -> None:
        time.sleep(max(0.0, SECOND_LOOK - (time.monotonic() - begun)))

    def _held(self, tenant: str) -> float:
        return self.site.metric("aifactory_held_tickets", tenant=tenant, reason="other-database") or 0

    def _is_logged(self) -> bool:
        log = self.site.hub.log_tail("hub", 2000)
        return "belong to no server in this hub's database and are held" in log and "aifactory-hub tickets" in log
