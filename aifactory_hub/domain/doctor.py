"""What is right and wrong with a site, and how far it has come: facts in, findings out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

# The oldest Kubernetes whose admission policies and Jobs of another manager are as we use them.
OLDEST_KUBERNETES = (1, 33)
KUEUE_API = "kueue.x-k8s.io/v1beta2"
MONITORING_API = "monitoring.coreos.com/v1"


class Stage(IntEnum):
    """How far a site has come. Each needs all of those before it."""

    CLUSTER = 1
    WORKLOADS = 2
    TENANCY = 3
    PLATFORM = 4
    FACTORY = 5

    @property
    def label(self) -> str:
        return _STAGES[self]


_STAGES = {
    Stage.CLUSTER: "basic cluster",
    Stage.WORKLOADS: "managed workloads",
    Stage.TENANCY: "multi-tenancy",
    Stage.PLATFORM: "platform",
    Stage.FACTORY: "factory",
}


class Verdict(StrEnum):
    GOOD = "ok"
    BAD = "wrong"
    # Not the same as wrong: nobody could be asked, or the credential may not look.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was seen, and what to do where that is not what it should be."""

    stage: Stage
    check: str
    verdict: Verdict
    seen: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """A rendered object and what the cluster has of it.

    ``found`` is None where that is not known. ``differences`` are dotted paths of fields that have another value.
    """

    name: str  # such as "ClusterQueue nlp"
    stage: Stage
    found: bool | None
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reached:
    """Whether one thing answers another. ``error`` is why not; ``tried`` is false when nobody could try."""

    check: str
    stage: Stage
    error: str = ""
    tried: bool = True
    todo: str = ""


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What was gathered of a site. None means that it is not known.

    ``allocatable``: device resource -> how many the nodes have together. ``carved``: what tenants.yaml says of them.
    """

    version: tuple[int, int] | None = None
    apis: frozenset[str] | None = None
    default_storage: bool | None = None
    allocatable: Mapping[str, int] | None = None
    carved: Mapping[str, int] = field(default_factory=dict)
    given: Mapping[str, int] = field(default_factory=dict)
    compared: Sequence[Compared] = ()
    reached: Sequence[Reached] = ()
    exporters: bool | None = None


def examine(facts: SiteFacts) -> list[Finding]:
    """Every finding, by stage and in the order in which one would look."""
    findings = [
        _version(facts.version),
        _default_storage(facts.default_storage),
        *_devices(facts),
        _api(facts.apis, Stage.WORKLOADS, KUEUE_API, "install Kueue 0.15 or newer with helm-values/kueue.yaml"),
        *_quota_sums(facts),
        *_drift(facts.compared),
        *(_reach(each) for each in facts.reached),
        _api(facts.apis, Stage.FACTORY, MONITORING_API, "install kube-prometheus-stack with its helm-values file"),
        _exporters(facts.exporters),
    ]
    return sorted(findings, key=lambda finding: finding.stage)


def stage_reached(findings: Iterable[Finding]) -> Stage | None:
    """The last stage of which, and of all before which, every check is good. None: not even the first."""
    lacking = {finding.stage for finding in findings if finding.verdict is not Verdict.GOOD}
    done = [stage for stage in Stage if not any(each <= stage for each in lacking)]
    return max(done, default=None)


def differences(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Paths of what is wanted and not found so. What the cluster has besides is its own business.

    Numbers and texts of the same writing are equal: Kueue stores 3 as "3".
    """
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return [path or "."] if wanted or found is not None else []
        return [
            each
            for key, value in wanted.items()
            for each in differences(value, found.get(key), f"{path}.{key}" if path else str(key))
        ]
    if isinstance(wanted, list | tuple):
        if not wanted and found is None:
            return []
        if not isinstance(found, list | tuple) or len(found) != len(wanted):
            return [path]
        pairs = enumerate(zip(wanted, found, strict=True))
        return [each for index, (one, other) in pairs for each in differences(one, other, f"{path}[{index}]")]
    return [] if str(wanted) == str(found) else [path]


def _judge(stage: Stage, check: str, good: bool | None, seen: str, todo: str) -> Finding:
    if good is None:
        return Finding(
            stage, check, Verdict.UNKNOWN, seen or "could not be asked", "ask with a credential that may read it"
        )
    return Finding(stage, check, Verdict.GOOD if good else Verdict.BAD, seen, "" if good else todo)


def _version(version: tuple[int, int] | None) -> Finding:
    oldest = ".".join(map(str, OLDEST_KUBERNETES))
    seen = "" if version is None else f"{version[0]}.{version[1]}"
    good = None if version is None else version >= OLDEST_KUBERNETES
    return _judge(Stage.CLUSTER, f"Kubernetes is {oldest} or newer", good, seen, f"upgrade to {oldest}")


def _default_storage(found: bool | None) -> Finding:
    seen = {True: "there is one", False: "there is none", None: ""}[found]
    todo = "mark one: storageclass.kubernetes.io/is-default-class, or name one in notebook.storage_class"
    return _judge(Stage.CLUSTER, "a default storage class for vClusters and homes", found, seen, todo)


def _devices(facts: SiteFacts) -> list[Finding]:
    return [_device(resource, count, facts.allocatable) for resource, count in sorted(facts.carved.items())]


def _device(resource: str, carved: int, allocatable: Mapping[str, int] | None) -> Finding:
    """Kueue does not look at nodes: with fewer devices than it gives out, tickets are admitted and pods wait."""
    have = None if allocatable is None else allocatable.get(resource, 0)
    seen = "" if have is None else f"nodes have {have}, tenants.yaml says {carved}"
    todo = "cut the GPUs as `aifactory-hub tenants render --part mig` says, or correct cluster.carved"
    good = None if have is None else have >= carved
    return _judge(Stage.CLUSTER, f"nodes have the {resource} that are given out", good, seen, todo)


def _quota_sums(facts: SiteFacts) -> list[Finding]:
    """tenants.yaml is refused when this is wrong, so it is told and never found wrong."""
    return [
        _judge(
            Stage.WORKLOADS,
            f"quotas of {resource} are within what there is",
            facts.given.get(resource, 0) <= count,
            f"{facts.given.get(resource, 0)} of {count} given",
            "lower quotas",
        )
        for resource, count in sorted(facts.carved.items())
    ]


def _api(apis: frozenset[str] | None, stage: Stage, wanted: str, todo: str) -> Finding:
    good = None if apis is None else wanted in apis
    seen = "" if apis is None else "served" if good else "not served"
    return _judge(stage, f"the API {wanted}", good, seen, todo)


def _drift(compared: Sequence[Compared]) -> list[Finding]:
    """One finding for what is right, and one for each object that isn't."""
    findings = []
    for stage in Stage:
        mine = [each for each in compared if each.stage is stage]
        same = [each for each in mine if each.found and not each.differences]
        if same:
            text = f"{len(same)} of {len(mine)} are as rendered"
            findings.append(Finding(stage, "objects on the host", Verdict.GOOD, text))
        findings += [_different(each) for each in mine if each not in same]
    return findings


def _different(each: Compared) -> Finding:
    if each.found is None:
        return _judge(each.stage, each.name, None, "", "")
    seen = "is not there" if not each.found else f"differs in {', '.join(each.differences[:4])}"
    return Finding(each.stage, each.name, Verdict.BAD, seen, "apply what `aifactory-hub tenants render` prints")


def _reach(each: Reached) -> Finding:
    if not each.tried:
        return Finding(each.stage, each.check, Verdict.UNKNOWN, each.error or "was not tried", each.todo)
    return _judge(each.stage, each.check, not each.error, each.error or "answers", each.todo)


def _exporters(found: bool | None) -> Finding:
    seen = {True: "there is one", False: "there is none", None: ""}[found]
    todo = "install dcgm-exporter with helm-values/dcgm-exporter.yaml"
    return _judge(Stage.FACTORY, "an exporter of GPU use", found, seen, todo)
