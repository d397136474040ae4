"""Restarts every part of the site while people work: ``make e2e-restarts``, or this module in the cluster's network.

Real: Kubernetes, the vClusters, Kueue, the identity provider, the hub, its proxy, the job service, and every death: all
processes are killed without a word. Simulated: the GPUs, behind whose names there is no device.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from .. import cases, steps
from ..person import Kernel, Person
from ..rig import clear_tenants, finish, open_rig
from ..steps import Day, Probe, wait_until
from .parts import Part, Parts
from .table import Row, Table

PEOPLE = {"nlp": "nlp-user", "vision": "vision-user"}
RAN = "2 notebooks, 1 job"
# The running job goes on for so long: it outlives most of what is tried, and ends while a vCluster is away.
JOB_SECONDS = 15
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
# A routing table is made anew within the interval at which the hub looks at it.
ROUTES_BACK = 20.0


@dataclass
class Site:
    """People with a notebook each, whose kernels remember something."""

    day: Day
    kernels: dict[str, Kernel] = field(default_factory=dict)

    def person(self, team: str) -> Person:
        return self.day.people[PEOPLE[team]]

    def open(self) -> None:
        """Sign everybody in and start the notebooks."""
        for team in PEOPLE:
            self.person(team).sign_in()
            self.person(team).make_token()
            steps.start(self.person(team), team)
            self.kernels[team] = self.person(team).start_kernel()

    def try_part(self, part: Part, row: Row) -> None:
        begun = time.monotonic()
        for kernel in self.kernels.values():
            kernel.run(f"kept = {part.name!r}")
        pods = self._uids()
        job = self.submit(part.team, JOB_SECONDS)
        row.check(self._becomes(part.team, job, ("RUNNING",), 60), "the job runs", self._state(part.team, job))
        probe = Probe([self.person(team) for team in PEOPLE])
        probe.begin()
        try:
            self._restart(part, row, jobs := {"running": job})
            for what, each in jobs.items():
                self._becomes(part.team, each, ENDED, 180)
                row.jobs.append(f"{what}: {self._state(part.team, each)}")
        finally:
            row.asked, failures = probe.end()
            row.failed = len(failures)
        row.check(all(each.endswith("SUCCEEDED") or "refused" in each for each in row.jobs), "jobs end well", row.jobs)
        row.check(part.carries or not failures, "every request to the notebooks was answered", failures[:5])
        self._look_after(part, row, pods)
        row.seconds = time.monotonic() - begun

    def _restart(self, part: Part, row: Row, jobs: dict[str, str]) -> None:
        begun = time.monotonic()
        part.end()
        try:
            if part.takes_jobs:
                refused = self._submit_meanwhile(part, jobs)
                if refused:
                    row.jobs.append(f"submitted meanwhile: refused ({refused})")
            time.sleep(max(0.0, part.away - (time.monotonic() - begun)))
        finally:
            # Whatever was seen meanwhile: others use this cluster too.
            part.start()
        row.away = time.monotonic() - begun
        if part.forgets:
            self._sign_in_again()
        if part.carries:
            self._wait_for_routes(row)

    def _sign_in_again(self) -> None:
        """As the hub asks for; kernels go on, and are spoken with under the new sign-in."""
        for team, kernel in self.kernels.items():
            person = self.person(team)
            person.sign_in()
            person.make_token()
            person.notebook("lab")
            self.kernels[team] = person.again(kernel)

    def _wait_for_routes(self, row: Row) -> None:
        begun = time.monotonic()
        back = wait_until(lambda: all(self._answers(team) for team in PEOPLE), ROUTES_BACK)
        row.check(back, f"notebooks are routed within {ROUTES_BACK:.0f} s of its return")
        row.away += time.monotonic() - begun

    def _submit_meanwhile(self, part: Part, jobs: dict[str, str]) -> str:
        """A job while the part is away: taken, or refused in words, which are returned."""
        seen = steps.ask(self.kernels[part.team], cases.SUBMIT_OR_SAY.format(seconds=0), timeout=100)
        if seen["id"]:
            jobs["submitted meanwhile"] = str(seen["id"])
        return str(seen["refused"])

    def _look_after(self, part: Part, row: Row, pods: dict[str, str]) -> None:
        for team in PEOPLE:
            person = self.person(team)
            listed = wait_until(lambda p=person: steps.is_listed(p), 30)  # type: ignore[misc]
            row.check(listed, f"{person.name}'s server is listed as running")
            kept = self.kernels[team].run("print(kept)").strip()
            row.check(kept == part.name, f"{person.name}'s kernel kept its memory", kept)
        row.check(self._uids() == pods, "the notebooks' pods are the same ones")
        refused = self.day.people["no-team-user"].sign_in()
        row.check(refused.status_code == 403, "the identity provider and the hub answer", refused.status_code)

    def submit(self, team: str, seconds: int) -> str:
        return str(steps.ask(self.kernels[team], cases.SUBMIT_FOR.format(seconds=seconds))["id"])

    def _becomes(self, team: str, job: str, states: tuple[str, ...], timeout: float) -> bool:
        return wait_until(lambda: self._state(team, job) in states, timeout)

    def _state(self, team: str, job: str) -> str:
        try:
            return self.person(team).job_state(job)
        except httpx.TransportError as error:
            return repr(error)

    def _answers(self, team: str) -> bool:
        try:
            return self.person(team).notebook("api/status").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _uids(self) -> dict[str, str]:
        found = {}
        for team, user in PEOPLE.items():
            name = self.day.cluster.pod(team, "notebooks", user).name
            found[team] = str(self.day.cluster.get("pod", name, "-n", f"vc-{team}")["metadata"]["uid"])
        return found


def tried(site: Site, part: Part) -> Row:
    row = Row(part.name, RAN)
    try:
        site.try_part(part, row)
    except Exception as error:
        traceback.print_exc()
        row.problems.append(repr(error)[:1500])
    return row


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.restarts", description=__doc__)
    parser.add_argument("--only", default="", metavar="PATTERN", help="only parts whose name this is found in")
    parser.add_argument("--list", action="store_true", help="name the parts and end")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="aifactory-restarts-"))
    rig = open_rig()
    hub = rig.hub(folder)
    parts = [part for part in Parts(hub, rig.cluster).all() if re.search(options.only, part.name)]
    if options.list:
        print("\n".join(part.name for part in parts))
        return 0
    print("The GPUs of this cluster are SIMULATED: capacity on the node, no device behind it.", flush=True)
    table = Table()
    with ExitStack() as stack:
        clear_tenants(rig.cluster)
        stack.callback(clear_tenants, rig.cluster)
        stack.callback(hub.stop)
        hub.start()
        site = Site(Day(hub, rig.cluster, stack.enter_context(rig.people(hub.url))))
        site.open()
        for part in parts:
            table.add(tried(site, part))
    return finish(folder, good=table.close())


if __name__ == "__main__":
    sys.exit(main())
