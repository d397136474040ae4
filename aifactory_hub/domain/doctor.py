"""What is right and wrong with a site, and how far it has come: facts in, findings out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from .site_charts import Chart, Wanted, written
from .site_rights import AskedRights
from .site_walls import AdmissionTry, GpuRuntime

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
    # Not the same as wrong: nobody answered.
    UNKNOWN = "unknown"
    # The credential may not look, or only pods can. Holds no stage: the hub's own account sees little, on purpose.
    UNSEEN = "not seen"
    # It works, and somebody should look at it. Holds no stage.
    WARNING = "warning"

    @property
    def holds(self) -> bool:
        """Whether a stage with such a finding is not reached."""
        return self in (Verdict.BAD, Verdict.UNKNOWN)


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
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class Reached:
    """Whether one thing answers another. ``error`` is why not; ``tried`` is false when nobody could try.

    ``seen`` is what is said when all is well. ``for_pods`` says that the address has a meaning in pods only and we are
    in none.
    """

    check: str
    stage: Stage
    error: str = ""
    tried: bool = True
    todo: str = ""
    seen: str = "answers"
    for_pods: bool = False


# Whose versions are looked at, by stage. Absent is no fault: there are other ways to install each of them.
CHARTS: Mapping[str, tuple[Stage, Wanted]] = {
    "gpu-operator": (Stage.CLUSTER, Wanted("GPU Operator", (23, 9), "gpu-operator.yaml")),
    "kueue": (Stage.WORKLOADS, Wanted("Kueue", (0, 15), "kueue.yaml")),
    "vcluster": (Stage.TENANCY, Wanted("vCluster", (0, 33), "vcluster.yaml")),
    "jupyterhub": (Stage.PLATFORM, Wanted("Zero to JupyterHub", (4,), "common.yaml", below=(5,))),
    "kube-prometheus-stack": (Stage.FACTORY, Wanted("kube-prometheus-stack", (45,), "kube-prometheus-stack.yaml")),
    "dcgm-exporter": (Stage.FACTORY, Wanted("dcgm-exporter", (4, 2), "dcgm-exporter.yaml")),
}


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """Facts of a site. None means that it is not known.

    ``unseen`` names the fields that this credential may not read.

    ``allocatable``: device resource -> how many the nodes have together. ``mislabelled``: those on nodes whose product
    label fits no card. ``carved``: what tenants.yaml says of them.
    ``home_reclaim``: reclaim policy of the storage class that homes have.
    """

    version: tuple[int, int] | None = None
    apis: frozenset[str] | None = None
    default_storage: bool | None = None
    home_reclaim: str | None = None
    allocatable: Mapping[str, int] | None = None
    mislabelled: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    carved: Mapping[str, int] = field(default_factory=dict)
    given: Mapping[str, int] = field(default_factory=dict)
    compared: Sequence[Compared] = ()
    reached: Sequence[Reached] = ()
    exporters: bool | None = None
    charts: Sequence[Chart] = ()
    # Whether all of the cluster's charts could be listed, so that one that is not among them is not there.
    charts_complete: bool = False
    rights: Sequence[AskedRights] = ()
    admission: Sequence[AdmissionTry] = ()
    gpu_runtime: GpuRuntime | None = None
    simulated: bool = False
    unseen: frozenset[str] = frozenset()


def examine(facts: SiteFacts) -> list[Finding]:
    """Every finding, by stage and in the order in which one would look."""
    findings = [
        _version(facts.version),
        _default_storage(facts),
        *_homes(facts.home_reclaim),
        *_devices(facts),
        _api(facts.apis, Stage.WORKLOADS, KUEUE_API, "install Kueue 0.15 or newer with helm-values/kueue.yaml"),
        *_quota_sums(facts),
        *_drift(facts.compared),
        *_charts(facts),
        *_gpu_runtime(facts),
        *(_rights(each) for each in facts.rights),
        *(_admission(each) for each in facts.admission),
        *(_reach(each) for each in facts.reached),
        _api(facts.apis, Stage.FACTORY, MONITORING_API, "install kube-prometheus-stack with its helm-values file"),
        _exporters(facts),
    ]
    return sorted(findings, key=lambda finding: finding.stage)


def stage_reached(findings: Iterable[Finding]) -> Stage | None:
    """The last stage of which, and of all before which, every check is good. None: not even the first."""
    lacking = {finding.stage for finding in findings if finding.verdict.holds}
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


def _judge(stage: Stage, check: str, good: bool | None, seen: str, todo: str, *, unseen: bool = False) -> Finding:
    if good is None:
        verdict = Verdict.UNSEEN if unseen else Verdict.UNKNOWN
        found = "this credential may not look" if unseen else "could not be asked"
        return Finding(stage, check, verdict, seen or found, "ask with a credential that may read it")
    return Finding(stage, check, Verdict.GOOD if good else Verdict.BAD, seen, "" if good else todo)


def _version(version: tuple[int, int] | None) -> Finding:
    oldest = ".".join(map(str, OLDEST_KUBERNETES))
    seen = "" if version is None else f"{version[0]}.{version[1]}"
    good = None if version is None else version >= OLDEST_KUBERNETES
    return _judge(Stage.CLUSTER, f"Kubernetes is {oldest} or newer", good, seen, f"upgrade to {oldest}")


def _default_storage(facts: SiteFacts) -> Finding:
    found, check = facts.default_storage, "a default storage class for vClusters and homes"
    seen = {True: "there is one", False: "there is none", None: ""}[found]
    todo = "mark one: storageclass.kubernetes.io/is-default-class, or name one in notebook.storage_class"
    return _judge(Stage.CLUSTER, check, found, seen, todo, unseen="default_storage" in facts.unseen)


def _homes(reclaim: str | None) -> list[Finding]:
    """An admission policy keeps home claims. With Delete the data goes with a claim that an administrator deletes."""
    if reclaim is None:
        return []
    good = reclaim == "Retain"
    todo = "" if good else "use a class with reclaimPolicy Retain, or count on `tenants remove`, which keeps the claims"
    verdict = Verdict.GOOD if good else Verdict.WARNING
    return [Finding(Stage.CLUSTER, "data of homes outlives their claims", verdict, f"reclaimPolicy {reclaim}", todo)]


def _devices(facts: SiteFacts) -> list[Finding]:
    return [
        _device(resource, count, facts.allocatable, facts.mislabelled.get(resource, {}), "allocatable" in facts.unseen)
        for resource, count in sorted(facts.carved.items())
    ]


def _device(
    resource: str, carved: int, allocatable: Mapping[str, int] | None, mislabelled: Mapping[str, int], unseen: bool
) -> Finding:
    """Kueue does not look at nodes: with fewer devices than it gives out, tickets are admitted and pods wait."""
    have = None if allocatable is None else allocatable.get(resource, 0)
    seen = "" if have is None else f"nodes have {have}, tenants.yaml says {carved}"
    todo = "cut the GPUs as `aifactory-hub tenants render --part mig` says, or correct cluster.carved"
    if mislabelled:
        labels = ", ".join(f"{count} on nodes labelled {label!r}" for label, count in sorted(mislabelled.items()))
        seen = f"{seen}; {labels}"
        todo = (
            "the GPUs are cut, but this label fits no card: where it ends in -MIG-INVALID, use `mig.strategy: mixed`, "
            "or cut each node into one size; for a new model, add its card"
        )
    good = None if have is None else have >= carved
    return _judge(Stage.CLUSTER, f"nodes have the {resource} that are given out", good, seen, todo, unseen=unseen)


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
    """One finding for what is right, one for what may not be read, and one for each object else."""
    findings = []
    for stage in Stage:
        mine = [each for each in compared if each.stage is stage]
        same = [each for each in mine if each.found and not each.differences]
        if same:
            text = f"{len(same)} of {len(mine)} are as rendered"
            findings.append(Finding(stage, "objects on the host", Verdict.GOOD, text))
        unseen = sum(each.unseen for each in mine)
        if unseen:
            check = f"{unseen} of {len(mine)} rendered objects"
            findings.append(_judge(stage, check, None, "", "", unseen=True))
        findings += [_different(each) for each in mine if each not in same and not each.unseen]
    return findings


def _different(each: Compared) -> Finding:
    if each.found is None:
        return _judge(each.stage, each.name, None, "", "")
    seen = "is not there" if not each.found else f"differs in {', '.join(each.differences[:4])}"
    return Finding(each.stage, each.name, Verdict.BAD, seen, "apply what `aifactory-hub tenants render` prints")


def _reach(each: Reached) -> Finding:
    if each.for_pods:
        todo = "--probe tries it from a pod, or ask in the hub's pod"
        return Finding(each.stage, each.check, Verdict.UNSEEN, "its name is for pods", todo)
    if not each.tried:
        return Finding(each.stage, each.check, Verdict.UNKNOWN, each.error or "was not tried", each.todo)
    return _judge(each.stage, each.check, not each.error, each.error or each.seen, each.todo)


def _gpu_runtime(facts: SiteFacts) -> list[Finding]:
    """Whether a container gets GPUs that it did not ask for. Admission can't see what an image says of itself."""
    if not facts.carved or facts.simulated:
        return []
    check = "containers get no GPU but by asking for one"
    runtime = facts.gpu_runtime
    if runtime is None or not runtime.toolkits:
        seen = "can't be looked up" if runtime is None else "no toolkit of the GPU Operator is there"
        todo = (
            "ask as an administrator"
            if runtime is None
            else "see that nodes' own runtime does not accept NVIDIA_VISIBLE_DEVICES of unprivileged containers"
        )
        return [Finding(Stage.TENANCY, check, Verdict.WARNING, seen, todo)]
    problems = runtime.problems()
    todo = "install the GPU Operator with helm-values/gpu-operator.yaml"
    seen = "; ".join(problems) or "the GPU Operator's toolkit and device plugin are set so"
    return [_judge(Stage.TENANCY, check, not problems, seen, todo)]


def _admission(tried: AdmissionTry) -> Finding:
    """A credential that may not ask is no fault of the site: the hub's own can't, on purpose."""
    if tried.untried:
        todo = "ask as an administrator of the host: it takes the right to impersonate the vClusters' service accounts"
        return Finding(Stage.TENANCY, tried.check, Verdict.WARNING, f"was not tried: {tried.untried}", todo)
    todo = "run `aifactory-hub tenants apply`; if the objects are as rendered and this stays, restart the API servers"
    return _judge(Stage.TENANCY, tried.check, tried.good, tried.seen, todo)


def _charts(facts: SiteFacts) -> list[Finding]:
    """Whether our values fit what is there. GPUs may come without the operator, and clusters without GPUs."""
    names = [name for name in CHARTS if facts.carved or CHARTS[name][0] is not Stage.CLUSTER]
    return [_chart(name, [each for each in facts.charts if each.name == name], facts.charts_complete) for name in names]


def _chart(name: str, releases: Sequence[Chart], complete: bool) -> Finding:
    stage, wanted = CHARTS[name]
    check = f"the chart of {wanted.title} is {written(wanted.oldest)} or newer"
    if not releases:
        seen = "no release of it is there" if complete else "can't be looked up"
        todo = f"if it came another way, compare with {wanted.path}" if complete else "ask as an administrator"
        return Finding(stage, check, Verdict.WARNING, seen, todo)
    seen = ", ".join(f"{each.version} in {each.namespace}" for each in releases[:5])
    problems = sorted({problem for each in releases if (problem := wanted.problem(each))})
    return _judge(stage, check, not problems, seen, "; ".join(problems))


def _rights(asked: AskedRights) -> Finding:
    check = f"rights of {asked.who} in {asked.where}"
    if asked.missing:
        return Finding(
            Stage.TENANCY,
            check,
            Verdict.BAD,
            f"may not {_listed(asked.missing)}",
            "apply what `aifactory-hub tenants render` prints; in a vCluster, `helm upgrade` it with its values",
        )
    if asked.excess:
        return Finding(
            Stage.TENANCY,
            check,
            Verdict.WARNING,
            f"may {_listed(asked.excess)}, which it never needs",
            "find the binding that gives it: `kubectl get rolebindings,clusterrolebindings -A -o wide`",
        )
    seen = f"all {len(asked.needed)} that it needs, none of {len(asked.too_much)} that would be too much"
    return _judge(Stage.TENANCY, check, None if asked.unknown else True, "" if asked.unknown else seen, "")


def _listed(rights: Sequence[object]) -> str:
    return ", ".join(map(str, rights[:4])) + (f" and {len(rights) - 4} more" if len(rights) > 4 else "")


def _exporters(facts: SiteFacts) -> Finding:
    seen = {True: "there is one", False: "there is none", None: ""}[facts.exporters]
    todo = "install dcgm-exporter with helm-values/dcgm-exporter.yaml"
    unseen = "exporters" in facts.unseen
    return _judge(Stage.FACTORY, "an exporter of GPU use", facts.exporters, seen, todo, unseen=unseen)
