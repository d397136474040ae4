"""Faults of a vCluster's API while servers run in it: nothing of a running server may change."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from ..cluster import Cluster
from .proxy import Fault as ApiFault
from .proxy import FaultProxy
from .site import Site, wait_until
from .table import Fault, Row

RUNNING = "a server in nlp, one in vision"
# Seconds in which a start must be refused where it can't work.
REFUSED_WITHIN = 5.0
# What a request through a busy machine may take on top, before the hub's own code runs.
OVERHEAD = 1.0


@dataclass(frozen=True)
class Apis:
    """``nlp-user`` runs a server in nlp and ``vision-user`` one in vision; ``proxy`` is in front of nlp's API."""

    site: Site
    proxy: FaultProxy

    def rows(self) -> list[Row]:
        kinds = [
            ("vCluster API down: connections refused", ApiFault(refuse=True), "can't be connected to", False),
            ("vCluster API hangs: no answer", ApiFault(hang=True), "did not answer within", True),
            ("vCluster API answers 429", ApiFault(status=429), "429", False),
            ("vCluster API answers 500", ApiFault(status=500), "500", False),
            ("vCluster API slower than its timeout", ApiFault(delay=8), "did not answer within", False),
            ("vCluster API's certificate expired", ApiFault(expired=True), "expired", False),
        ]
        rows = [Row(name, RUNNING, self._body(fault, words), quick) for name, fault, words, quick in kinds]
        return [*rows, Row("token revoked, then the Secret rotated", RUNNING, self._revoked)]

    def _body(self, api_fault: ApiFault, words: str) -> Callable[[Fault], None]:
        @contextmanager
        def broken() -> Iterator[None]:
            self.proxy.set(api_fault)
            try:
                yield
            finally:
                self.proxy.set(ApiFault())

        def body(fault: Fault) -> None:
            with undisturbed(fault, self.site):
                with broken():
                    self._while_broken(fault, words)
                    if api_fault.refuse:
                        self._beside_stock(fault)
                starts_again(fault, self.site, time.monotonic(), 45)

        return body

    def _while_broken(self, fault: Fault, words: str) -> None:
        site = self.site
        began = time.time()
        # What the machine needs now for a refusal that asks no cluster.
        usual = site.start("nlp-user", "second", tenant="nobody").seconds
        refused = site.start("nlp-user", "second", tenant="nlp")
        quick = refused.seconds < REFUSED_WITHIN + max(OVERHEAD, 2 * usual)
        fault.check(not refused.ready and quick, f"a start there is refused in {refused.seconds:.1f} s", refused)
        fault.check(words in refused.message, f"with the reason: {refused.message}", refused)
        other = site.start("vision-user", "second", tenant="vision")
        fault.check(other.ready, f"a start in another team is not affected ({other.seconds:.1f} s)", other)
        site.stop("vision-user", "second")
        # Longer than several polls.
        wait_until(lambda: time.time() - began > 8, 10)
        again = site.start("nlp-user", "second", tenant="nlp")
        fault.check("for " in again.message, f"later it says for how long: {again.message}", again)
        fault.check(site.runs("nlp-user"), "the hub lists her server as running")
        fault.check(site.has_route("nlp-user"), "its route stays")
        fault.check(site.ticket("nlp", "nlp-user", "second") is None, "the refused start left no ticket")

    def _beside_stock(self, fault: Fault) -> None:
        """The same server, at the same moment, as kubespawner sees it in a hub that starts now."""
        # Only here: its program asks this module how to reach the API.
        from .stock import verdict

        said = verdict(self.site.cluster, "nlp", "nb-nlp-user")
        fault.check(
            "it runs" not in said,
            f"kubespawner's own poll in a hub that starts now: {said}. JupyterHub takes that for stopped",
            said,
        )

    def _revoked(self, fault: Fault) -> None:
        """The service account is made anew, so every token of it is worthless; then the Secret gets a new one."""
        uid, site = self.site.uid("nlp", "nlp-user"), self.site
        site.inside("nlp", "delete", "serviceaccount", "aifactory-notebooks", "-n", "notebooks")
        site.inside("nlp", "create", "serviceaccount", "aifactory-notebooks", "-n", "notebooks")
        try:
            # The API server remembers for some seconds that it took a token.
            revoked = wait_until(lambda: status_of(site) == 401, 60)
            fault.check(revoked, "the hub's token is refused")
            self._while_broken(fault, "401")
        finally:
            rotate(site.cluster, site)
        starts_again(fault, site, time.monotonic(), 45)
        unchanged(fault, site, uid)


@contextmanager
def undisturbed(fault: Fault, site: Site) -> Iterator[None]:
    """``nlp-user``'s notebook is asked again and again meanwhile; after it both servers run as before."""
    uid = site.uid("nlp", "nlp-user")
    with site.probed("nlp-user") as probe:
        yield
    unchanged(fault, site, uid)
    fault.check(not probe.failures, f"her notebook answered throughout ({probe.asked} requests)", probe.failures)


def starts_again(fault: Fault, site: Site, begun: float, within: float) -> None:
    """A second server of hers starts within so many seconds of ``begun``, and stops."""
    outcomes = [site.start("nlp-user", "second", tenant="nlp")]
    while not outcomes[-1].ready and time.monotonic() - begun < within:
        time.sleep(1)
        outcomes.append(site.start("nlp-user", "second", tenant="nlp"))
    fault.check(outcomes[-1].ready, f"healed, a start works after {time.monotonic() - begun:.1f} s", outcomes[-1])
    fault.check(site.stop("nlp-user", "second"), "and stops")


def rotate(cluster: Cluster, site: Site) -> None:
    """Give the hub's Secret a new token of the same service account."""
    token = site.inside("nlp", "create", "token", "aifactory-notebooks", "-n", "notebooks", "--duration=24h").strip()
    secret = cluster.get("secret", "hub-notebooks", "-n", "vc-nlp")
    config, old = kubeconfig_and_token(secret)
    changed = base64.b64encode(config.replace(old, token).encode()).decode()
    patch = json.dumps({"data": {"config": changed}})
    cluster.run("patch", "secret", "hub-notebooks", "-n", "vc-nlp", "--type=merge", "-p", patch)


def kubeconfig_and_token(secret: dict[str, Any]) -> tuple[str, str]:
    """What the hub's Secret in a tenant's namespace holds."""
    config = base64.b64decode(secret["data"]["config"]).decode()
    return config, next(line.split("token:")[1].strip() for line in config.splitlines() if "token:" in line)


def status_of(site: Site) -> int:
    """What nlp's API answers to the token that the hub has."""
    _, token = kubeconfig_and_token(site.cluster.get("secret", "hub-notebooks", "-n", "vc-nlp"))
    address = site.cluster.get("pod", "nlp-0", "-n", "vc-nlp")["status"]["podIP"]
    url, head = f"https://{address}:8443/api/v1/namespaces/notebooks/pods", {"Authorization": f"Bearer {token}"}
    return httpx.get(url, headers=head, verify=False, trust_env=False).status_code  # noqa: S501 - only the status


def unchanged(fault: Fault, site: Site, uid: str) -> None:
    """Her default server in nlp is the very same pod, and running."""
    fault.check(uid and site.uid("nlp", "nlp-user") == uid, "the pod is the same one")
    fault.check(site.runs("nlp-user") and site.runs("vision-user"), "and both servers run")
