"""What etcd saw, in its order: all versions of all tickets and of the stand-ins for pods, and what must hold at each.

The versions come from ``kubectl get --watch``, so nothing of the product takes part in the judgement but the quotas.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aifactory_hub.constants import KIND_SERVER, LABEL_OWNER_KIND
from aifactory_hub.domain.quota import Quota
from aifactory_profiles import Device

from ..support.kube_objects import SMALL
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


@dataclass
class Judge:
    """``namespaces`` gives the tenant of each namespace. ``broken`` is empty while every promise is kept."""

    quotas: Mapping[str, Quota]
    namespaces: Mapping[str, str]
    tickets: dict[Key, Json] = field(default_factory=dict)
    pods: dict[Key, Json] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def take(self, version: Version) -> None:
        """The next version, and a look at everything as of then."""
        objects = self.tickets if version.kind == "Job" else self.pods
        before = objects.pop(version.key, None)
        if version.there:
            objects[version.key] = version.body
        self.seen[version.kind] += 1
        if version.kind == "Job":
            self._count_evictions(version, before)
        found = violations(self.quotas, self._held(), self._held(KIND_SERVER)) + self._uncounted()
        self.broken += [f"revision {version.revision}: {each}" for each in found]

    def _count_evictions(self, version: Version, before: Json | None) -> None:
        was = before is not None and not before["spec"]["suspend"]
        if was and version.there and version.body["spec"]["suspend"]:
            kind = version.body["metadata"]["labels"][LABEL_OWNER_KIND]
            self.seen[f"evicted {kind}"] += 1
            tenant = self.namespaces[version.key[0]]
            if kind == KIND_SERVER and not self.quotas[tenant].notebooks_borrow:
                self.broken.append(f"revision {version.revision}: notebook {version.key} was evicted")

    def _held(self, kind: str | None = None) -> dict[str, Counter[Device]]:
        held: dict[str, Counter[Device]] = {}
        for (namespace, _), job in self.tickets.items():
            if kind in (None, job["metadata"]["labels"][LABEL_OWNER_KIND]) and _counts(job):
                held.setdefault(self.namespaces[namespace], Counter()).update(_devices(job))
        return held

    def _uncounted(self) -> list[str]:
        """Pods that no quota is held for."""
        return [f"pod {key} runs without a ticket that is held" for key in self.pods if not self._is_held(key)]

    def _is_held(self, key: Key) -> bool:
        job = self.tickets.get(key)
        return job is not None and bool((job.get("status") or {}).get("active"))


def _counts(job: Json) -> bool:
    return not job["spec"]["suspend"] or bool((job.get("status") or {}).get("active"))


def _devices(job: Json) -> dict[Device, int]:
    requests = job["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]
    return {Device(SMALL.flavor, name): int(count) for name, count in requests.items()}
