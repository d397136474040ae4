"""Names, teams and quota: the same names in two tenants, a person who is moved, one who is preempted; Kueue away."""

from __future__ import annotations

import time
from dataclasses import dataclass

from aifactory_hub import constants
from tests.cluster.access import Access

from ..person import Person
from .site import Site, still_pod, wait_until
from .table import Fault, Row

KUEUE = ("deployment/kueue-controller-manager", "-n", "kueue-system")


@dataclass(frozen=True)
class People:
    site: Site
    found: Access

    def rows(self) -> list[Row]:
        return [
            Row("the same pod name in two tenants", "nlp-user's server in nlp", self._twins),
            Row("one person's servers in two teams", "two servers of one person", self._two_teams),
            Row("a person moved to another team", "a server in her old team", self._moved),
            Row("Kueue down, then back", "a server with a slice in nlp", self._kueue_down),
            Row("preempted: another team takes its own back", "a borrowed slice in nlp", self._preempted),
        ]

    def _twins(self, fault: Fault) -> None:
        """A pod of the same name, with the same labels, in another tenant's vCluster.

        But for the tenant's own: the host takes no pod that claims to be another tenant's.
        """
        site = self.site
        pod, uid = site.pod("nlp", "nlp-user"), site.uid("nlp", "nlp-user")
        assert pod is not None
        labels = {k: v for k, v in pod["metadata"]["labels"].items() if not k.startswith("vcluster.loft.sh")}
        name = pod["metadata"]["annotations"]["vcluster.loft.sh/object-name"]
        twin = still_pod(name, "sleep", "5", labels={**labels, constants.LABEL_TENANT: "vision"})
        site.inside("vision", "apply", "-f", "-", stdin=twin)
        try:
            ended = wait_until(lambda: self._phase("vision", "nlp-user") == "Succeeded", 60)
            fault.check(ended, "a twin in vision's vCluster ran and ended")
            time.sleep(5)
            fault.check(site.runs("nlp-user") and site.uid("nlp", "nlp-user") == uid, "her own server runs on")
            target = site.hub.routes()["/user/nlp-user/"]["target"]
            fault.check(f"//{pod['status']['podIP']}:" in target, "its route leads to her own pod", target)
        finally:
            site.inside("vision", "delete", "pod", name, "-n", "notebooks", "--wait=true")

    def _phase(self, tenant: str, user: str) -> str:
        pod = self.site.pod(tenant, user)
        return str(pod["status"]["phase"]) if pod else ""

    def _two_teams(self, fault: Fault) -> None:
        site, user = self.site, "two-team-user"
        first = site.start(user, "a", tenant="nlp")
        second = site.start(user, "b", tenant="vision")
        fault.check(first.ready and second.ready, "she has one server in each of two teams", (first, second))
        fault.check(site.uid("nlp", user, "a") and site.uid("vision", user, "b"), "each pod is in its team")
        fault.check(not site.uid("vision", user, "a") and not site.uid("nlp", user, "b"), "and only there")
        site.stop(user, "a")
        fault.check(site.runs(user, "b"), "the end of one leaves the other")
        site.stop(user, "b")

    def _moved(self, fault: Fault) -> None:
        site, user = self.site, "two-team-user"
        before = list(self.found.accounts[user].groups)
        outcome = site.start(user, "moves", tenant="nlp")
        fault.check(outcome.ready, "a server runs in nlp", outcome)
        uid = site.uid("nlp", user, "moves")
        self.found.set_groups(user, ["teams/vision"])
        try:
            fault.check(signs_in(site.people[user]), "she is moved to vision and signs in again")
            refused = site.start(user, "more", tenant="nlp")
            fault.check(not refused.ready, f"she can start nothing more there: {refused.message}", refused)
            fault.check(site.runs(user, "moves") and site.uid("nlp", user, "moves") == uid, "the server runs on")
            fault.check(site.stop(user, "moves"), "it can be stopped")
            fault.check(wait_until(lambda: not site.pod("nlp", user, "moves"), 20), "and its pod is gone")
            outcome = site.start(user, "moves", tenant="vision")
            fault.check(outcome.ready, "her next start is in vision, with a volume there", outcome)
            fault.check(site.has_claim("vision", user) and site.has_claim("nlp", user), "the old volume stays")
            site.stop(user, "moves")
        finally:
            self.found.set_groups(user, before)
            signs_in(site.people[user])

    def _kueue_down(self, fault: Fault) -> None:
        site = self.site
        outcome = site.start("nlp-user", "slice", tenant="nlp", profile="mig-1g.10gb")
        fault.check(outcome.ready, "a server with a slice runs", outcome)
        site.cluster.run("scale", *KUEUE, "--replicas=0")
        try:
            wait_until(lambda: not site.cluster.get("pods", "-n", "kueue-system")["items"], 60)
            options = {"tenant": "vision", "profile": "mig-1g.10gb"}
            site.ask_and_forget("POST", "vision-user", "waits", options)
            time.sleep(12)
            fault.check(site.runs("nlp-user", "slice") and site.runs("nlp-user"), "what runs runs on")
            fault.check(site.uid("vision", "vision-user", "waits") == "", "nothing starts past it")
        finally:
            site.cluster.run("scale", *KUEUE, "--replicas=1")
        begun = time.monotonic()
        ready = wait_until(lambda: site.runs("vision-user", "waits"), 120)
        if not ready:
            again = site.start("vision-user", "waits", tenant="vision", profile="mig-1g.10gb")
            ready = again.ready
        fault.check(ready, f"with it back, the start works after {time.monotonic() - begun:.0f} s")
        site.stop("vision-user", "waits")
        fault.check(site.stop("nlp-user", "slice"), "and the server stops")
        gone = wait_until(lambda: not site.ticket("nlp", "nlp-user", "slice"), 60)
        fault.check(gone, "its ticket is given back")

    def _preempted(self, fault: Fault) -> None:
        site = self.site
        for server in ("own", "lent"):
            outcome = site.start("nlp-user", server, tenant="nlp", profile="mig-3g.40gb")
            fault.check(outcome.ready, f"nlp-user runs a server on nlp's {server} large slice", outcome)
        begun = time.monotonic()
        site.ask_and_forget("POST", "two-team-user", "back", {"tenant": "spare", "profile": "mig-3g.40gb"})
        told = wait_until(lambda: site.notices("nlp-user"), 30)
        fault.check(told, f"she is told before: {site.notices('nlp-user')}")
        both = site.runs("nlp-user", "own") and site.runs("nlp-user", "lent")
        fault.check(both, f"and it still runs then, {time.monotonic() - begun:.1f} s after")
        ended = wait_until(lambda: len(self._left()) == 1, 60)
        fault.check(ended, f"one of hers ended after {time.monotonic() - begun:.1f} s", self._left())
        lost = ({"own", "lent"} - self._left()).pop()
        fault.check("quota" in site.last_end("nlp-user", lost), site.last_end("nlp-user", lost))
        ready = wait_until(lambda: site.runs("two-team-user", "back"), 60)
        fault.check(ready, "the team that owns the slice has its server")
        fault.check(site.has_claim("nlp", "nlp-user"), "her volume stays")
        site.stop("two-team-user", "back")
        for server in self._left():
            site.stop("nlp-user", server)

    def _left(self) -> set[str]:
        return {"own", "lent"} & set(self.site.servers("nlp-user"))


def signs_in(person: Person) -> bool:
    """With an empty browser. The provider takes a moment to read its accounts again."""

    def signed_in() -> bool:
        person.browser.cookies.clear()
        try:
            return person.sign_in().status_code == 200 and "_xsrf" in person.browser.cookies
        except LookupError:
            # It did not let her pass yet.
            return False

    return wait_until(signed_in, 30)
