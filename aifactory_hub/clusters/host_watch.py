"""What runs: one watch on the host for all tenants, decoded to the few facts that decisions need."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..domain.pods import PodFact
from ..domain.tenants import VCluster
from .api import KubeApi
from .host_pod import MANAGED_BY, HostPod, fact_of
from .listwatch import Change, ListWatch, Pace

PodChange = Change[PodFact]
# (host namespace, vCluster, virtual namespace, virtual name): two tenants may use the same virtual names.
_VirtualKey = tuple[str, str, str, str]

# Two missed ends of a watch: the cluster's answers are then too old to conclude from.
STALE_AFTER = 60.0


class HostWatch:
    """The tenants' pods as the host runs them.

    Unknown is not dead: while ``stale`` is true, ``pod`` may answer None for a pod that exists. Look at ``stale``
    before concluding anything from a missing pod, as ``wait_for`` does.
    """

    def __init__(
        self,
        host: KubeApi,
        *,
        selector: str = MANAGED_BY,
        clock: Callable[[], float] = time.monotonic,
        pace: Pace | None = None,
        stale_after: float = STALE_AFTER,
    ) -> None:
        self._stale_after = stale_after
        self._host = host
        self._by_virtual: dict[_VirtualKey, PodFact] = {}
        self._watch = ListWatch(
            host,
            "/api/v1/pods",
            HostPod,
            fact_of,
            params={"labelSelector": selector},
            on_change=self._changed,
            pace=pace,
            clock=clock,
        )

    def start(self, since: str | None = None) -> None:
        """Begin in the background; a second call does nothing.

        With ``since``, a ``position`` of an earlier process, those who subscribed with ``replays`` also hear what
        happened between it and the first list. The host keeps such changes for some minutes: see ``resumed``.
        """
        self._watch.start(since)

    async def stop(self) -> None:
        """End the watch; what was seen stays, and grows stale."""
        await self._watch.stop()

    async def synced(self, timeout: float) -> bool:
        """Whether the pods have been listed, waiting up to ``timeout`` seconds for the first list."""
        return await self._watch.synced(timeout)

    @property
    def last_sync(self) -> float | None:
        """When the host last said anything, by the clock; None before the first list."""
        return self._watch.last_sync

    @property
    def age(self) -> float | None:
        """Seconds since the host last said anything; None before the first list."""
        return self._watch.age()

    def host_time(self) -> float | None:
        """Seconds since 1970 by the host's clock; None before it has said anything."""
        return self._host.clock.now()

    @property
    def stale(self) -> bool:
        """No answer from the host for more than a minute, or none yet: a missing pod then means nothing."""
        age = self._watch.age()
        return age is None or age > self._stale_after

    @property
    def last_error(self) -> str | None:
        """Why the host could not be heard last; None while it is heard."""
        return self._watch.last_error

    @property
    def skipped(self) -> int:
        """How many objects could not be read so far."""
        return self._watch.skipped

    @property
    def position(self) -> str | None:
        """The resourceVersion up to which all changes have been told; None before the first list."""
        return self._watch.position

    @property
    def resumed(self) -> bool | None:
        """Whether the changes since ``since`` were all replayed; False when the host no longer had them, None when
        that is not known yet or was not asked for."""
        return self._watch.resumed

    def pod(self, vcluster: VCluster, namespace: str, name: str) -> PodFact | None:
        """The host's pod for this virtual pod; None when not seen."""
        return self._by_virtual.get((vcluster.namespace, vcluster.name, namespace, name))

    def pods(self, vcluster: VCluster | None = None) -> list[PodFact]:
        """All pods, or those of one vCluster."""
        if vcluster is None:
            return list(self._by_virtual.values())
        whose = (vcluster.namespace, vcluster.name)
        return [pod for key, pod in self._by_virtual.items() if key[:2] == whose]

    def subscribe(self, listener: Callable[[PodChange], None], *, replays: bool = False) -> Callable[[], None]:
        """Call ``listener`` with each change, in order, in the event loop; it must be quick.

        With ``replays`` also with changes from before the first list. Returns the function that ends it.
        """
        return self._watch.subscribe(listener, replays=replays)

    @property
    def version(self) -> int:
        """Counts changes: hand it to ``changed``."""
        return self._watch.version

    async def changed(self, since: int, timeout: float) -> int:
        """The version once it differs from ``since``, or after ``timeout`` seconds."""
        return await self._watch.changed(since, timeout)

    async def wait_for(
        self,
        vcluster: VCluster,
        namespace: str,
        name: str,
        predicate: Callable[[PodFact | None], bool],
        timeout: float,
    ) -> PodFact | None:
        """The pod once ``predicate`` holds for it; None is asked only when the host really says that there is none.

        Raises TimeoutError after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            seen = self.version
            pod = self.pod(vcluster, namespace, name)
            if (pod is not None or not self.stale) and predicate(pod):
                return pod
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"pod {namespace}/{name} of {vcluster.name}: not so after {timeout:g} s")
            # At most a second, because growing fresh again is no change that anybody tells.
            await self._watch.changed(seen, min(left, 1.0))

    def _changed(self, change: PodChange) -> None:
        before, after = change.before, change.after
        if before is not None and (after is None or before.uid != after.uid):
            known = self._by_virtual.get(_virtual(before))
            if known is not None and known.uid == before.uid:
                del self._by_virtual[_virtual(before)]
        if after is not None:
            self._by_virtual[_virtual(after)] = after


def _virtual(pod: PodFact) -> _VirtualKey:
    return pod.host_namespace, pod.vcluster, pod.namespace, pod.name
