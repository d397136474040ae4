"""Starts that can't work: the reason within seconds, and nothing left behind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from .hooks import SPOILED
from .site import Outcome, Site, still_pod, wait_until
from .table import Fault, Row

TOLD_WITHIN = 15.0
RUNNING = "a server in nlp"


@dataclass(frozen=True)
class Refusals:
    site: Site

    def rows(self) -> list[Row]:
        return [
            Row("image can't be pulled", RUNNING, self._fails("no-image", "pull"), True),
            Row("the notebook's process ends at once", RUNNING, self._fails("crash", "exit code 7")),
            Row("no node has what the pod asks for", RUNNING, self._fails("nowhere", "node")),
            Row("host quota refuses the pod (SyncError)", RUNNING, self._fails("more", "exceeded quota", self._quota)),
            Row("Pod Security refuses the pod", RUNNING, self._fails("privileged", "violates PodSecurity")),
            Row("waiting that can help: no room on the node", RUNNING, self._waits),
            Row("waiting that can help: no quota free", "a server on the team's only large slice", self._queues),
            Row("somebody else's pod has the name", RUNNING, self._foreign),
            Row("forged choices: team, profile, option, braces", RUNNING, self._forged, True),
            Row("a failed profile does not leak into the retry", RUNNING, self._leak),
        ]

    def _fails(
        self, server: str, words: str, around: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> Callable[[Fault], None]:
        def body(fault: Fault) -> None:
            with around():
                outcome = self.site.start("nlp-user", server, tenant="nlp", profile="mig-1g.10gb")
                self._told(fault, outcome, words)
                self._nothing_left(fault, server)
            fault.check(self.site.runs("nlp-user"), "her other server runs on")

        return body

    def _told(self, fault: Fault, outcome: Outcome, words: str) -> None:
        fault.check(not outcome.ready and words.lower() in outcome.message.lower(), outcome.message, outcome)
        fault.check(outcome.seconds <= TOLD_WITHIN, f"told after {outcome.seconds:.1f} s", outcome)

    def _nothing_left(self, fault: Fault, server: str) -> None:
        gone = wait_until(lambda: not self.site.pod("nlp", "nlp-user", server), 10)
        virtual = self.site.inside("nlp", "get", "pods", "-n", "notebooks", "-o", "name")
        fault.check(gone and f"--{server}" not in virtual, "the virtual pod and the host's are gone", virtual)
        fault.check(not self.site.ticket("nlp", "nlp-user", server), "and the ticket")

    @contextmanager
    def _quota(self) -> Iterator[None]:
        pods = self.site.cluster.get("pods", "-n", "vc-nlp")["items"]
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "full", "namespace": "vc-nlp"},
            "spec": {"hard": {"pods": str(len(pods))}},
        }
        self.site.cluster.run("apply", "-f", "-", stdin=json.dumps(quota))
        try:
            counted = wait_until(
                lambda: self.site.cluster.get("resourcequota", "full", "-n", "vc-nlp").get("status", {}).get("used"), 20
            )
            assert counted, "the host did not count the quota"
            yield
        finally:
            self.site.cluster.run("delete", "resourcequota", "full", "-n", "vc-nlp")

    def _waits(self, fault: Fault) -> None:
        site = self.site
        answer = site.ask("POST", "/users/nlp-user/servers/too-large", json={"tenant": "nlp", "profile": "cpu-small"})
        fault.check(answer.status_code == 202, "a pod that has no room yet is waited for", answer.text)
        told = site.follow("nlp-user", "too-large", until="Insufficient")
        fault.check("Insufficient cpu" in str(told[-1]), f"the progress says why: {told[-1].get('message')}", told)
        pod = site.pod("nlp", "nlp-user", "too-large")
        fault.check(pod is not None and pod["status"]["phase"] == "Pending", "its pod is kept", pod)
        waiting = site.servers("nlp-user")["too-large"]["pending"]
        fault.check(waiting == "spawn", "the hub says that it is starting", waiting)
        fault.check(site.stop("nlp-user", "too-large"), "and she can call it off")
        self._nothing_left(fault, "too-large")

    def _queues(self, fault: Fault) -> None:
        """In spare, which has one large slice and borrows none."""
        site, user = self.site, "two-team-user"
        choice = {"tenant": "spare", "profile": "mig-3g.40gb"}
        holds = site.start(user, "holds", **choice)
        fault.check(holds.ready, "a server has the slice", holds)
        try:
            refused = site.start(user, "waits", **choice)
            quick = refused.seconds < TOLD_WITHIN
            fault.check(
                quick and "used 1, limit 1" in refused.message, f"without wait, refused: {refused.message}", refused
            )
            answer = site.ask("POST", f"/users/{user}/servers/waits", json={**choice, "wait": "yes"})
            # JupyterHub answers 201 or 202 to who tries again after a refusal.
            pending = answer.is_success and site.servers(user)["waits"]["pending"]
            fault.check(pending == "spawn", "with wait, it is starting", (answer.status_code, pending))
            told = site.follow(user, "waits", until="Position")
            fault.check("Position 1 of 1" in str(told[-1]), f"the progress says: {told[-1].get('message')}", told)
            fault.check(not site.pod("spare", user, "waits"), "there is no pod yet")
        finally:
            site.stop(user, "holds")
        begun = time.monotonic()
        runs = wait_until(lambda: site.runs(user, "waits"), 60)
        fault.check(runs, f"the first one stopped, it runs after {time.monotonic() - begun:.1f} s")
        site.stop(user, "waits")

    def _foreign(self, fault: Fault) -> None:
        pod = still_pod("nb-nlp-user--mine", "sleep", "3600")
        self.site.inside("nlp", "apply", "-f", "-", stdin=pod)
        try:
            before = self._foreign_uid()
            outcome = self.site.start("nlp-user", "mine", tenant="nlp")
            self._told(fault, outcome, "left alone")
            fault.check(self._foreign_uid() == before, "the foreign pod is untouched")
            fault.check(not self.site.ticket("nlp", "nlp-user", "mine"), "no ticket is left")
        finally:
            self.site.inside("nlp", "delete", "pod", "nb-nlp-user--mine", "-n", "notebooks", "--wait=true")

    def _foreign_uid(self) -> str:
        arguments = ["get", "pod", "nb-nlp-user--mine", "-n", "notebooks", "-o", "jsonpath={.metadata.uid}"]
        return self.site.inside("nlp", *arguments)

    def _forged(self, fault: Fault) -> None:
        forged = [
            {},
            {"tenant": "nlp"},
            {"tenant": "vision", "profile": "cpu-small"},
            {"tenant": "nlp", "profile": "mig-7g.80gb"},
            {"tenant": "nlp", "profile": "cpu-small", "image": "evil:1"},
            {"tenant": "nlp", "profile": "cpu-small", "kubespawner_override": {"privileged": True}},
            {"tenant": "{username}", "profile": "cpu-small"},
            {"tenant": "nlp", "profile": "{cpu-small}"},
            {"tenant": ["nlp"], "profile": "cpu-small"},
        ]
        before = self.site.cluster.pod_names()
        for options in forged:
            answer = self.site.ask("POST", "/users/nlp-user/servers/forged", json=options)
            text = answer.json().get("message", "")
            fault.check(400 <= answer.status_code < 500, f"{json.dumps(options)}: {answer.status_code} {text}", text)
        fault.check(self.site.cluster.pod_names() == before, "no pod was made")
        fault.check(not self.site.ticket("nlp", "nlp-user", "forged"), "and no ticket")

    def _leak(self, fault: Fault) -> None:
        site, spoiled = self.site, self.site.hub.folder / SPOILED
        spoiled.touch()
        failed = site.start("nlp-user", "leak", tenant="nlp", profile="mig-1g.10gb")
        fault.check(not failed.ready, "a start with a slice fails", failed)
        spoiled.unlink()
        retry = site.start("nlp-user", "leak", tenant="nlp")
        pod = site.pod("nlp", "nlp-user", "leak")
        fault.check(retry.ready and pod, "the retry without a slice works", retry)
        limits = pod["spec"]["containers"][0]["resources"]["limits"] if pod else {}
        fault.check(set(limits) == {"cpu", "memory"}, "and has no slice", limits)
        site.stop("nlp-user", "leak")
