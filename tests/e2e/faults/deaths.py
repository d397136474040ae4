"""The hub dies: at every step of a start and of a stop, and with servers in three teams of which one is down."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .hooks import HTTP_TIMEOUT
from .proxy import Fault as ApiFault
from .proxy import FaultProxy, cut_off
from .site import Site, wait_until
from .table import Fault, Row

# Every call that a start and a stop change something with, on either side of it, and one while the pod starts.
START = [
    *(f"{call} {moment}" for call in (
        "create jobs", "merge_patch jobs", "create persistentvolumeclaims", "create pods",
    ) for moment in ("before", "after")),
    "get events before",
    "get events after",
]  # fmt: skip
STOP = [
    f"{call} {moment}" for call in ("delete pods", "merge_patch jobs", "delete jobs") for moment in ("before", "after")
]
QUICK = {"create pods after"}
SETTLED_WITHIN = 60.0


@dataclass(frozen=True)
class Deaths:
    site: Site
    proxy: FaultProxy
    teams: Sequence[str]

    def rows(self) -> list[Row]:
        starts = [Row(f"hub killed in a start: {p}", "a start", self._in_start(p), p in QUICK) for p in START]
        stops = [Row(f"hub killed in a stop: {p}", "a stop", self._in_stop(p), p in QUICK) for p in STOP]
        all_teams = "servers in " + " and ".join(self.teams)
        return [
            *starts,
            *stops,
            Row("hub killed and started again, nlp's API hanging", all_teams, self._restart, True),
            Row("hub started again while a notebook is silent", "a server in nlp that can't be reached", self._silent),
        ]

    def _in_start(self, point: str) -> Callable[[Fault], None]:
        def body(fault: Fault) -> None:
            site = self.site
            site.die_at(point)
            site.ask_and_forget("POST", "nlp-user", "doomed", {"tenant": "nlp", "profile": "mig-1g.10gb"})
            fault.check(site.wait_dead(), "the hub died")
            self._settles(fault)

        return body

    def _in_stop(self, point: str) -> Callable[[Fault], None]:
        def body(fault: Fault) -> None:
            site = self.site
            outcome = site.start("nlp-user", "doomed", tenant="nlp", profile="mig-1g.10gb")
            fault.check(outcome.ready, "a server runs", outcome)
            site.die_at(point)
            site.ask_and_forget("DELETE", "nlp-user", "doomed", None)
            fault.check(site.wait_dead(), "the hub died")
            self._settles(fault)

        return body

    def _settles(self, fault: Fault) -> None:
        """Server, pod and ticket are all there and right, or all gone; her other server was not touched."""
        site = self.site
        back = site.restart()
        begun, last = time.monotonic(), ("", "", "")

        def settled() -> bool:
            nonlocal last
            last = self._triple()
            return last in (("running", "pod", "ticket"), ("", "", ""))

        good = wait_until(settled, SETTLED_WITHIN)
        # Not only for a moment.
        time.sleep(3)
        good = good and settled()
        seconds = time.monotonic() - begun
        fault.check(good, f"hub back in {back:.1f} s; {seconds:.1f} s later: {last[0] or 'nothing left'}", last)
        fault.check(site.has_claim("nlp", "nlp-user"), "the volume is there")
        fault.check(site.runs("nlp-user") and site.has_route("nlp-user"), "her other server runs")
        site.stop("nlp-user", "doomed")
        fault.check(wait_until(lambda: self._triple() == ("", "", ""), 60), "the end leaves nothing", self._triple())

    def _triple(self) -> tuple[str, str, str]:
        found = self.site.servers("nlp-user").get("doomed")
        server = "" if found is None else "running" if found["ready"] and not found["pending"] else "unsettled"
        return (
            server,
            "pod" if self.site.pod("nlp", "nlp-user", "doomed") else "",
            "ticket" if self.site.ticket("nlp", "nlp-user", "doomed") else "",
        )

    def _restart(self, fault: Fault) -> None:
        site = self.site
        every = (("nlp", "nlp-user", ""), ("vision", "vision-user", ""), ("spare", "two-team-user", "spare"))
        places = [place for place in every if place[0] in self.teams]
        uids = [site.uid(*place) for place in places]
        with site.probed("nlp-user") as probe:
            usual = site.restart()
            self.proxy.set(ApiFault(hang=True))
            try:
                back = site.restart()
                for tenant, user, server in places:
                    begun = time.monotonic()
                    right = wait_until(lambda u=user, s=server: site.runs(u, s), 10)  # type: ignore[misc]
                    fault.check(right, f"{tenant}'s server is right {time.monotonic() - begun:.1f} s after", user)
                # A vCluster that is waited for would cost ten seconds at least; a busy machine costs its share.
                fault.check(back < 1.5 * usual + 3, f"back in {back:.1f} s; {usual:.1f} s with all APIs up")
                fault.check([site.uid(*place) for place in places] == uids, "all pods are the same ones")
                fault.check(site.has_route("nlp-user"), "routes stay")
                time.sleep(6)
                fault.check(site.runs("nlp-user"), "polls later it still runs")
            finally:
                self.proxy.set(ApiFault())
        fault.check(not probe.failures, f"nlp's notebook answered throughout ({probe.asked} requests)", probe.failures)

    def _silent(self, fault: Fault) -> None:
        """JupyterHub's own check at its start stops a server that does not answer within ``http_timeout``."""
        site, settings = self.site, self.site.hub.environment
        uid, pod = site.uid("nlp", "nlp-user"), site.pod("nlp", "nlp-user")
        assert pod is not None
        settings[HTTP_TIMEOUT] = "2"
        try:
            with cut_off(pod["status"]["podIP"]):
                site.restart()
                time.sleep(3 * float(settings[HTTP_TIMEOUT]))
                fault.check(site.runs("nlp-user"), "the hub lists it as running, long after its timeout has ended")
                fault.check(site.uid("nlp", "nlp-user") == uid, "its pod is the same one")
        finally:
            del settings[HTTP_TIMEOUT]
            site.restart()
        with site.probed("nlp-user") as probe:
            wait_until(lambda: probe.asked >= 3, 20)
        fault.check(probe.asked and not probe.failures, "it answers again", probe.failures)
