"""Faults of whole vClusters: control plane restarted, paused, storage lost, deleted and made again."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..rig import apply_registry
from . import spare
from .site import Site, still_pod, tenants_file, wait_until
from .table import Fault, Row

USER, SERVER = "two-team-user", "spare"
RUNNING = "a server in spare"


@dataclass(frozen=True)
class VClusters:
    """Those that end servers are tried on the spare vCluster."""

    site: Site

    def rows(self) -> list[Row]:
        return [
            Row("control plane restarted", "a server in nlp, under requests", self._restarted),
            Row("vCluster paused (scaled to 0, pods gone)", RUNNING, self._paused),
            Row("vCluster's storage lost", RUNNING, self._storage_lost),
            Row("vCluster deleted and made again under its name", RUNNING, self._replaced),
        ]

    def _restarted(self, fault: Fault) -> None:
        site = self.site
        uid = site.uid("nlp", "nlp-user")
        with site.probed("nlp-user") as probe:
            begun = time.monotonic()
            site.cluster.run("delete", "pod", "nlp-0", "-n", "vc-nlp", "--wait=false")
            seen = [site.runs("nlp-user")]
            wait_until(lambda: seen.append(site.runs("nlp-user")) or self._ready("nlp"), 120)  # type: ignore[func-returns-value]
            fault.check(self._ready("nlp"), f"its API is back after {time.monotonic() - begun:.1f} s")
            fault.check(all(seen), f"the hub listed her server as running all the while ({len(seen)} looks)")
            back = [site.start("nlp-user", "second", tenant="nlp")]
            while not back[-1].ready and time.monotonic() - begun < 180:
                time.sleep(1)
                back.append(site.start("nlp-user", "second", tenant="nlp"))
            fault.check(back[-1].ready, "a new start works", back[-1])
            site.stop("nlp-user", "second")
        fault.check(not probe.failures, f"not one of {probe.asked} requests failed", probe.failures)
        fault.check(site.uid("nlp", "nlp-user") == uid, "the pod is the same one")

    def _ready(self, tenant: str) -> bool:
        try:
            return site_inside_ok(self.site, tenant)
        except RuntimeError:
            return False

    def _ends(self, fault: Fault, words: str, within: float) -> None:
        begun = time.monotonic()
        ended = wait_until(lambda: SERVER not in self.site.servers(USER), within)
        fault.check(ended, f"the server ended in the hub after {time.monotonic() - begun:.1f} s")
        why = self.site.last_end(USER, SERVER)
        fault.check(words in why, f"reason kept: {why}", why)
        gone = wait_until(lambda: not self.site.ticket("spare", USER, SERVER), 90)
        fault.check(gone, "its ticket is given back")

    def _runs_again(self, fault: Fault) -> None:
        begun = time.monotonic()
        outcomes = [self.site.start(USER, SERVER, tenant="spare")]
        while not outcomes[-1].ready and time.monotonic() - begun < 120:
            time.sleep(2)
            outcomes.append(self.site.start(USER, SERVER, tenant="spare"))
        fault.check(outcomes[-1].ready, f"the next start works ({time.monotonic() - begun:.0f} s)", outcomes[-1])

    def _paused(self, fault: Fault) -> None:
        site = self.site
        scale(site, 0)
        selector = f"vcluster.loft.sh/managed-by={spare.NAME}"
        site.cluster.run("delete", "pods", "-n", spare.NAMESPACE, "-l", selector, "--wait=false")
        self._ends(fault, "paused", 40)
        refused = site.start(USER, SERVER, tenant="spare")
        fault.check("paused" in refused.message, f"a start says: {refused.message}", refused)
        scale(site, 1)
        self._runs_again(fault)

    def _storage_lost(self, fault: Fault) -> None:
        site = self.site
        spare.lose_storage()
        begun = time.monotonic()
        site.cluster.run("delete", "pod", f"{spare.NAME}-0", "-n", spare.NAMESPACE, "--wait=false")
        gone = wait_until(lambda: not site.pod("spare", USER, SERVER), 120)
        fault.check(gone, f"the empty vCluster removed the pod after {time.monotonic() - begun:.0f} s")
        self._ends(fault, "vCluster", 40)
        spare.install()
        self._runs_again(fault)

    def _replaced(self, fault: Fault) -> None:
        """Meanwhile the hub is away. What then has the old names and labels is another tenant's."""
        site = self.site
        pod = site.pod("spare", USER, SERVER)
        fault.check(pod, "a server runs")
        site.hub.kill("hub")
        spare.remove(site.cluster)
        spare.install()
        apply_registry(site.cluster, tenants_file())
        forged = self._forge(pod or {})
        fault.check(forged, "in the new vCluster a pod has the old one's name and labels")
        site.restart()
        self._ends(fault, "another vCluster", 40)
        after = site.pod("spare", USER, SERVER)
        fault.check(after and after["metadata"]["uid"] == forged, "the new vCluster's pod is untouched", after)
        name = after["metadata"]["annotations"]["vcluster.loft.sh/object-name"] if after else ""
        site.inside("spare", "delete", "pod", name, "-n", "notebooks", "--wait=true")
        self._runs_again(fault)

    def _forge(self, old: dict[str, object]) -> str:
        """A pod of the old one's name and labels; its uid on the host."""
        metadata: dict[str, dict[str, str]] = old["metadata"]  # type: ignore[assignment]
        labels = {k: v for k, v in metadata["labels"].items() if not k.startswith("vcluster.loft.sh")}
        name = metadata["annotations"]["vcluster.loft.sh/object-name"]
        self.site.inside("spare", "apply", "-f", "-", stdin=still_pod(name, "sleep", "3600", labels=labels))
        wait_until(lambda: self.site.uid("spare", USER, SERVER), 30)
        return self.site.uid("spare", USER, SERVER)


def scale(site: Site, replicas: int) -> None:
    site.cluster.run("scale", f"statefulset/{spare.NAME}", f"--replicas={replicas}", "-n", spare.NAMESPACE)


def site_inside_ok(site: Site, tenant: str) -> bool:
    return site.inside(tenant, "get", "--raw", "/readyz", "--request-timeout=2s").strip() == "ok"
