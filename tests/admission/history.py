"""What etcd saw, in its order: all versions of all tickets and pods, and what must hold at each.

The versions come from ``kubectl get --watch``, so nothing of the product takes part in the judgement but the quotas.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aifactory_hub.admission.translate import JOB_UID_LABEL
from aifactory_hub.constants import KIND_SERVER, LABEL_OWNER_KIND
from aifactory_hub.domain.quota import Quota
from aifactory_profiles import Device

from ..support.kube_objects import SMALL
from .real_hub import OURS, WHOSE
from .steps import violations

Json = dict[str, Any]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Version:
    """One object as of one revision of etcd; ``there`` is False from when it was deleted."""

    revision: int
    kind: str
    key: Key
    there: bool
    body: Json


def versions(*files: Path) -> list[Version]:
    """What the watches wrote, in etcd's order."""
    return sorted((each for file in files for each in _read(file)), key=lambda version: version.revision)


def _read(file: Path) -> Iterator[Version]:
    text, decoder, at = file.read_text(encoding="utf-8"), json.JSONDecoder(), 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            return
        try:
            event, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            return  # the watch was ended in the middle of the last one
        body = event["object"]
        metadata = body["metadata"]
        key = (metadata["namespace"], metadata["name"])
        yield Version(int(metadata["resourceVersion"]), body["kind"], key, event["type"] != "DELETED", body)


# More is admitted than there is, and no pod runs on it.
OVER_ADMITTED = "more admitted than there is, by a Kueue after a kill"


@dataclass
class Judge:
    """``namespaces`` gives the tenant of each namespace. ``broken`` is empty while every promise is kept.

    ``pods`` are the hub's, each of which needs a ticket of its name; ``others`` the tenant's own, which need none and
    are held by the tenant's ceiling together with the hub's. That ceiling is Kubernetes' own ResourceQuota, so it is
    told apart: ``over_ceiling`` has each time at which pods asked for more.

    A ticket counts while Kueue's Workload has quota for it, and while a pod of the hub runs on it. Kueue may take back
    what it has admitted a moment ago before it suspends the Job again, and the hub may have held the ticket meanwhile,
    or die before it lets go of it: both are counted in ``seen``, and broken once a pod is started on such a ticket.

    ``kueue_dies``: Kueue is killed on the way. A new Kueue was seen to admit more than there is within its first
    seconds, on its own Workloads alone. That is counted in ``seen`` then, and broken once pods run on more than there
    is.
    """

    quotas: Mapping[str, Quota]
    namespaces: Mapping[str, str]
    kueue_dies: bool = False
    tickets: dict[Key, Json] = field(default_factory=dict)
    pods: dict[Key, Json] = field(default_factory=dict)
    others: dict[Key, Json] = field(default_factory=dict)
    has_quota: dict[str, bool] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    over_ceiling: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    _over: list[str] = field(default_factory=list)

    def take(self, version: Version) -> None:
        """The next version, and a look at everything as of then."""
        if version.kind == "Workload":
            self._take_workload(version.body)
            self._judge(version)
            return
        ticket = version.kind == "Job"
        whose = version.body["metadata"]["labels"].get(WHOSE)
        objects = self.tickets if ticket else self.pods if whose == OURS else self.others
        before = objects.pop(version.key, None)
        if version.there:
            objects[version.key] = version.body
        self.seen["ticket" if ticket else f"pod of the {whose}"] += 1
        if ticket:
            self._count_evictions(version, before)
        self._judge(version)

    def _take_workload(self, body: Json) -> None:
        """Remembered also when it is gone: that its Job is gone as well is another version."""
        conditions = {each["type"]: each["status"] for each in (body.get("status") or {}).get("conditions") or ()}
        self.has_quota[body["metadata"]["labels"][JOB_UID_LABEL]] = conditions.get("QuotaReserved") == "True"
        self.seen["workload"] += 1

    def _judge(self, version: Version) -> None:
        found = violations(self.quotas, self._held(), self._held(KIND_SERVER))
        if found and self.kueue_dies:
            self.seen[OVER_ADMITTED] += 1
            found = violations(self.quotas, self._held(of_pods=True), self._held(KIND_SERVER, of_pods=True))
        found += self._uncounted()
        self.broken += [f"revision {version.revision}: {each}" for each in found]
        self._count_early(version)
        over = self._too_many()
        self.over_ceiling += [f"revision {version.revision}: {each}" for each in over if each not in self._over]
        self._over = over

    def _count_evictions(self, version: Version, before: Json | None) -> None:
        was = before is not None and not before["spec"]["suspend"]
        if was and version.there and version.body["spec"]["suspend"]:
            kind = version.body["metadata"]["labels"][LABEL_OWNER_KIND]
            self.seen[f"evicted {kind}"] += 1
            tenant = self.namespaces[version.key[0]]
            if kind == KIND_SERVER and not self.quotas[tenant].notebooks_borrow:
                self.broken.append(f"revision {version.revision}: notebook {version.key} was evicted")

    def _count_early(self, version: Version) -> None:
        """Whether this version shows a Job that is admitted or held, though its quota is another's."""
        body = version.body
        if version.kind != "Job" or not version.there or self._counts(version.key, body):
            return
        if not body["spec"]["suspend"]:
            self.seen["admitted Job whose quota was taken back already"] += 1
        if _is_held(body):
            self.seen["held Job whose quota was taken back already"] += 1

    def _held(self, kind: str | None = None, *, of_pods: bool = False) -> dict[str, Counter[Device]]:
        """What the tenants hold; ``of_pods``: of that, what the hub's pods run on."""
        held: dict[str, Counter[Device]] = {}
        counts = self._runs if of_pods else self._counts
        for key, job in self.tickets.items():
            if kind in (None, job["metadata"]["labels"][LABEL_OWNER_KIND]) and counts(key, job):
                held.setdefault(self.namespaces[key[0]], Counter()).update(_devices(_template(job)))
        return held

    def _runs(self, key: Key, job: Json) -> bool:
        return key in self.pods and _is_held(job)

    def _counts(self, key: Key, job: Json) -> bool:
        unless_known = _is_held(job) or not job["spec"]["suspend"]
        return self._runs(key, job) or self.has_quota.get(job["metadata"].get("uid", ""), unless_known)

    def _uncounted(self) -> list[str]:
        """The hub's pods that no quota is held for, or not as much as they use."""
        found = []
        for key, pod in self.pods.items():
            job = self.tickets.get(key)
            if job is None or not _is_held(job):
                found.append(f"pod {key} runs without a ticket that is held")
            elif _devices(pod["spec"]) != _devices(_template(job)):
                found.append(f"pod {key} uses other devices than its ticket holds")
        return found

    def _too_many(self) -> list[str]:
        """Tenants whose pods, the hub's and their own, ask for more than their ceiling."""
        asked: dict[str, Counter[Device]] = {}
        for objects in (self.pods, self.others):
            for (namespace, _), pod in objects.items():
                asked.setdefault(self.namespaces[namespace], Counter()).update(_devices(pod["spec"]))
        return [
            f"pods of {tenant} ask for {count} of {device}, over its ceiling"
            for tenant, counts in asked.items()
            for device, count in counts.items()
            if count > self.quotas[tenant].limit(device)
        ]


def judged(
    quotas: Mapping[str, Quota], namespaces: Mapping[str, str], history: Iterable[Version], *, kueue_dies: bool = False
) -> Judge:
    """What is to be said of all that happened in these namespaces."""
    judge = Judge(quotas, namespaces, kueue_dies)
    for version in history:
        if version.key[0] in namespaces:
            judge.take(version)
    return judge


def _is_held(job: Json) -> bool:
    return bool((job.get("status") or {}).get("active"))


def _template(job: Json) -> Json:
    spec: Json = job["spec"]["template"]["spec"]
    return spec


def _devices(spec: Json) -> dict[Device, int]:
    requests = spec["containers"][0]["resources"].get("requests") or {}
    return {Device(SMALL.flavor, name): int(count) for name, count in requests.items() if "/" in name}
