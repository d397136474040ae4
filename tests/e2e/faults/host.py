"""Faults of the host's API, as the hub alone sees it: what it can't look at is not gone."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bs4 import BeautifulSoup

from aifactory_hub.clusters.host_watch import STALE_AFTER

from .apis import starts_again, undisturbed
from .hooks import ADMIN
from .site import Site, wait_until
from .table import Fault, Row

# A watch that has broken is noticed at once, one that is silent by the next thing that should have come.
STALE_WITHIN = STALE_AFTER + 40


class Relay:
    """Passes what the hub sends to the host's API on, until it is stopped (nothing answers) or cut (refused)."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream.removeprefix("https://")
        self.address = self._upstream.partition(":")[0]
        with socket.create_server((self.address, 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        listen = f"TCP-LISTEN:{self.port},bind={self.address},reuseaddr,fork"
        argv = [shutil.which("socat") or "socat", listen, f"TCP:{self._upstream}"]
        self._process = subprocess.Popen(argv, start_new_session=True, stderr=subprocess.DEVNULL)
        if not wait_until(self._listens, 10):
            raise RuntimeError(f"nothing listens at {self.address}:{self.port}")

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection((self.address, self.port), timeout=1):
            return True
        return False

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Connections are taken, and nothing comes of them."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Connections break, and new ones are refused."""
        self.end()
        try:
            yield
        finally:
            self.start()

    def end(self) -> None:
        if self._process is not None:
            self._signal(signal.SIGCONT)
            self._signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)


@contextmanager
def before_the_host(kubeconfig: Path, folder: Path) -> Iterator[tuple[Relay, Path]]:
    """A relay, and the kubeconfig of who is to pass it on the way to the host's API."""
    config = kubeconfig.read_text()
    (server,) = re.findall(r"https://[\w.:]+", config)
    relay = Relay(server)
    own = folder / "relayed.kubeconfig"
    own.touch(mode=0o600)
    own.write_text(config.replace(server, f"https://{relay.address}:{relay.port}"))
    relay.start()
    try:
        yield relay, own
    finally:
        relay.end()


@dataclass(frozen=True)
class Host:
    """``nlp-user`` runs a server in nlp and ``vision-user`` one in vision."""

    site: Site
    relay: Relay

    def rows(self) -> list[Row]:
        running = "a server in nlp, one in vision"
        return [
            Row("host API hangs for over a minute", running, self._body(self.relay.hanging)),
            Row("host API refuses for over a minute", running, self._body(self.relay.refusing)),
        ]

    def _body(self, broken: Callable[[], AbstractContextManager[None]]) -> Callable[[Fault], None]:
        def body(fault: Fault) -> None:
            with undisturbed(fault, self.site):
                with broken():
                    self._while_broken(fault)
                self._healed(fault)

        return body

    def _while_broken(self, fault: Fault) -> None:
        site, begun = self.site, time.monotonic()
        refused = site.start("nlp-user", "second", tenant="nlp")
        fault.check(not refused.ready, f"a start is refused in {refused.seconds:.1f} s: {refused.message}", refused)
        stale = wait_until(lambda: site.metric("aifactory_host_watch_stale") == 1, STALE_WITHIN)
        fault.check(stale, f"what the hub knows counts as stale after {time.monotonic() - begun:.0f} s")
        said = self._page()
        fault.check("Stale. Nothing is concluded" in said, f"the administrators' page says so: {said}", said)
        fault.check(site.runs("nlp-user") and site.runs("vision-user"), "the hub lists both servers as running")
        fault.check(site.has_route("nlp-user") and site.has_route("vision-user"), "their routes stay")

    def _healed(self, fault: Fault) -> None:
        begun = time.monotonic()
        fresh = wait_until(lambda: self.site.metric("aifactory_host_watch_stale") == 0, 60)
        fault.check(fresh, f"healed, it is fresh after {time.monotonic() - begun:.1f} s")
        said = self._page()
        fault.check("Fresh." in said, f"the page says: {said}", said)
        fault.check(self.site.ticket("nlp", "nlp-user", "second") is None, "the refused start left no ticket")
        starts_again(fault, self.site, begun, 60)

    def _page(self) -> str:
        """What an administrator reads of the watch."""
        page = self.site.people[ADMIN].browser.get(f"{self.site.hub.url}/hub/aifactory/cluster")
        page.raise_for_status()
        told = BeautifulSoup(page.text, "html.parser").select_one("main p[role=status]")
        return " ".join(told.get_text().split()) if told else page.text[:500]
