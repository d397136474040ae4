"""People and servers with names of every shape, at the same time in one tenant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.cluster.access import Access

from ..person import Person
from .people import signs_in
from .site import Outcome, Site
from .table import Fault, Row

TENANT = "nlp"
# Latin, then with a Cyrillic letter that looks the same; what our own joins look like; longer than a pod's name may be.
PEOPLE = ("grace", "gr\u0430ce", "grace--hopper", "Grace Hopper", "gr\u00e4ce@example.org", "g" * 70)
# What they call a server, beside the one without a name: the shapes that JupyterHub 6 takes.
SERVERS = ("hopper", "x-nlp", "h0-x-notebooks-x-nlp", "s" * 30)
TOGETHER = 3

Place = tuple[str, str]


@dataclass(frozen=True)
class Names:
    site: Site
    found: Access

    def rows(self) -> list[Row]:
        running = f"{len(PEOPLE)} people's servers and {len(SERVERS)} more of one of them"
        return [Row("names of every shape: people and servers", running, self._every_shape)]

    def _every_shape(self, fault: Fault) -> None:
        with self._people() as people:
            places = [*((name, "") for name in people), *((people[0], server) for server in SERVERS)]
            try:
                self._all_run(fault, places)
                self._end_one(fault, people[:2])
            finally:
                ended = self._stop(places)
            fault.check(all(ended), "all end", ended)
            left = [place for place in places if self.site.pod(TENANT, *place) or self.site.ticket(TENANT, *place)]
            fault.check(not left, "no pod and no ticket is left", left)

    def _all_run(self, fault: Fault, places: Sequence[Place]) -> None:
        started = self._start(places)
        failed = {place: outcome for place, outcome in started.items() if not outcome.ready}
        slowest = max(outcome.seconds for outcome in started.values())
        words = f"all {len(places)} servers run, {TOGETHER} started at a time, the slowest in {slowest:.1f} s"
        fault.check(not failed, words, failed)
        pods = {place: self.site.pod(TENANT, *place) for place in places}
        names = {pod["metadata"]["name"] for pod in pods.values() if pod}
        fault.check(len(names) == len(places), "each has a pod of its own", sorted(names))
        routes = {(route.get("user"), route.get("server_name")): route for route in self.site.hub.routes().values()}
        wrong = [p for p, pod in pods.items() if pod and pod["status"]["podIP"] not in routes[p]["target"]]
        fault.check(not wrong, "each one's route leads to its own pod", wrong)

    def _end_one(self, fault: Fault, alike: Sequence[str]) -> None:
        """Of two who look alike."""
        gone, stays = alike
        fault.check(self.site.stop(gone), f"the server of {gone} is stopped")
        fault.check(self.site.runs(stays) and self.site.pod(TENANT, stays), f"that of {stays} (another letter) runs on")

    def _start(self, places: Sequence[Place]) -> dict[Place, Outcome]:
        with ThreadPoolExecutor(TOGETHER) as pool:
            outcomes = pool.map(lambda place: self.site.start(*place, tenant=TENANT), places)
            return dict(zip(places, outcomes, strict=True))

    def _stop(self, places: Sequence[Place]) -> list[bool]:
        with ThreadPoolExecutor(TOGETHER) as pool:
            return list(pool.map(lambda place: self.site.stop(*place), places))

    @contextmanager
    def _people(self) -> Iterator[list[str]]:
        """Accounts at the provider, signed in at the hub; their names as the hub writes them."""
        with ExitStack() as stack:
            accounts = [
                stack.enter_context(self.found.account(name, f"shape-{number}@example.org", ["teams/nlp"]))
                for number, name in enumerate(PEOPLE)
            ]
            for account in accounts:
                person = Person(account.name, account.email, account.password, self.site.hub.url)
                stack.callback(person.close)
                if not signs_in(person):
                    raise RuntimeError(f"{account.name} can't sign in")
            # JupyterHub writes all names in lower case.
            yield [account.name.lower() for account in accounts]
