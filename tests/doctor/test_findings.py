"""What the doctor says of facts: a table of sites, and how wrong, unknown and lacking are told apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aifactory_hub.domain.doctor import (
    CHARTS,
    KUEUE_API,
    MONITORING_API,
    Compared,
    Reached,
    SiteFacts,
    Stage,
    Verdict,
    differences,
    examine,
    stage_reached,
)
from aifactory_hub.domain.site_charts import Chart, written
from aifactory_hub.domain.site_rights import AskedRights, Right
from aifactory_hub.domain.site_walls import GpuRuntime

GET, LIST, BIND = Right("get", "secrets", "", "vc-nlp", "hub-jobs"), Right("list", "nodes"), Right("create", "pods")
OLDEST = [Chart(name, written(wanted.oldest), "here") for name, (_, wanted) in CHARTS.items()]

WELL = SiteFacts(
    version=(1, 35),
    apis=frozenset({KUEUE_API, MONITORING_API}),
    default_storage=True,
    allocatable={"nvidia.com/mig-1g.10gb": 7},
    carved={"nvidia.com/mig-1g.10gb": 7},
    gpu_runtime=GpuRuntime(
        toolkits=[{"ACCEPT_NVIDIA_VISIBLE_DEVICES_ENVVAR_WHEN_UNPRIVILEGED": "false"}],
        plugins=[{"DEVICE_LIST_STRATEGY": "cdi-cri"}],
    ),
    given={"nvidia.com/mig-1g.10gb": 5},
    compared=(
        Compared("ClusterQueue nlp", Stage.WORKLOADS, True),
        Compared("NetworkPolicy aifactory-default-deny in vc-nlp", Stage.TENANCY, True),
    ),
    reached=(
        Reached("the vCluster of nlp answers the hub", Stage.TENANCY),
        Reached("the hub's API answers", Stage.PLATFORM),
    ),
    exporters=True,
    charts=OLDEST,
    charts_complete=True,
    rights=(AskedRights("the hub", "namespace vc-nlp", {GET: True}, {LIST: False}),),
)


def test_a_site_that_is_well_has_come_to_the_last_stage() -> None:
    findings = examine(WELL)
    assert {finding.verdict for finding in findings} == {Verdict.GOOD}
    assert stage_reached(findings) is Stage.FACTORY
    assert {finding.stage for finding in findings} == set(Stage)


@pytest.mark.parametrize(("reclaim", "verdict"), [("Delete", Verdict.WARNING), ("Retain", Verdict.GOOD)])
def test_a_storage_class_that_deletes_data_with_the_claim_is_a_warning(reclaim: str, verdict: Verdict) -> None:
    (found,) = [each for each in examine(replace(WELL, home_reclaim=reclaim)) if "outlives" in each.check]
    assert (found.verdict, found.seen) == (verdict, f"reclaimPolicy {reclaim}")
    assert stage_reached(examine(replace(WELL, home_reclaim=reclaim))) is Stage.FACTORY


@pytest.mark.parametrize(
    ("facts", "reached", "check", "seen"),
    [
        (replace(WELL, version=(1, 31)), None, "Kubernetes is 1.33 or newer", "1.31"),
        (replace(WELL, default_storage=False), None, "storage class", "there is none"),
        (replace(WELL, allocatable={}), None, "mig-1g.10gb that are given out", "nodes have 0, tenants.yaml says 7"),
        (replace(WELL, apis=frozenset({MONITORING_API})), Stage.CLUSTER, KUEUE_API, "not served"),
        (
            replace(WELL, compared=(Compared("ClusterQueue nlp", Stage.WORKLOADS, False),)),
            Stage.CLUSTER,
            "ClusterQueue nlp",
            "is not there",
        ),
        (
            replace(WELL, compared=(Compared("NetworkPolicy x", Stage.TENANCY, True, ("spec.egress",)),)),
            Stage.WORKLOADS,
            "NetworkPolicy x",
            "differs in spec.egress",
        ),
        (
            replace(WELL, reached=(Reached("the vCluster of nlp", Stage.TENANCY, "no route to host"),)),
            Stage.WORKLOADS,
            "the vCluster of nlp",
            "no route to host",
        ),
        (replace(WELL, reached=(Reached("hub", Stage.PLATFORM, "HTTP 502"),)), Stage.TENANCY, "hub", "HTTP 502"),
        (replace(WELL, exporters=False), Stage.PLATFORM, "exporter", "there is none"),
    ],
)
def test_what_is_wrong_is_named_and_holds_the_stage(
    facts: SiteFacts, reached: Stage | None, check: str, seen: str
) -> None:
    findings = examine(facts)
    (wrong,) = [finding for finding in findings if finding.verdict is Verdict.BAD]
    assert check in wrong.check
    assert wrong.seen == seen
    assert stage_reached(findings) is reached


@pytest.mark.parametrize(
    ("asked", "verdict", "seen"),
    [
        (
            AskedRights("the hub", "x", {GET: True, LIST: True}, {BIND: False}),
            Verdict.GOOD,
            "all 2 that it needs, none of 1 that would be too much",
        ),
        (AskedRights("the hub", "x", {GET: False}, {BIND: True}), Verdict.BAD, "may not get secrets hub-jobs"),
        (AskedRights("the hub", "x", {GET: None, LIST: False}, {}), Verdict.BAD, "may not list nodes"),
        (
            AskedRights("the hub", "x", {GET: True}, {BIND: True}),
            Verdict.WARNING,
            "may create pods, which it never needs",
        ),
        (AskedRights("the hub", "x", {GET: None}, {}), Verdict.UNKNOWN, "could not be asked"),
        (AskedRights("the hub", "x"), Verdict.UNKNOWN, "could not be asked"),
    ],
)
def test_rights_that_are_missing_are_wrong_and_more_than_needed_is_a_warning(
    asked: AskedRights, verdict: Verdict, seen: str
) -> None:
    findings = examine(replace(WELL, rights=(asked,)))
    (finding,) = [each for each in findings if each.check == "rights of the hub in x"]
    assert (finding.verdict, finding.seen) == (verdict, seen)
    assert stage_reached(findings) is (Stage.WORKLOADS if verdict.holds else Stage.FACTORY)


@pytest.mark.parametrize(
    ("charts", "complete", "verdict", "seen"),
    [
        ([Chart("kueue", "0.19.2", "kueue-system")], True, Verdict.GOOD, "0.19.2 in kueue-system"),
        ([Chart("kueue", "0.14.9", "kueue-system")], True, Verdict.BAD, "0.14.9 in kueue-system"),
        ([], True, Verdict.WARNING, "no release of it is there"),
        ([], False, Verdict.WARNING, "can't be looked up"),
    ],
)
def test_a_chart_is_as_new_as_our_values_need_it(
    charts: list[Chart], complete: bool, verdict: Verdict, seen: str
) -> None:
    others = [each for each in OLDEST if each.name != "kueue"]
    findings = examine(replace(WELL, charts=[*others, *charts], charts_complete=complete))
    (finding,) = [each for each in findings if "Kueue is" in each.check]
    assert (finding.verdict, finding.seen) == (verdict, seen)


def test_a_chart_that_our_values_were_never_tried_with_is_named() -> None:
    findings = examine(replace(WELL, charts=[*OLDEST, Chart("jupyterhub", "5.0.0", "other")]))
    (wrong,) = [each for each in findings if each.verdict is Verdict.BAD]
    assert wrong.todo == "helm-values/common.yaml was never tried with 5 or newer: compare the keys first"


def test_a_site_without_gpus_needs_no_gpu_operator() -> None:
    findings = examine(replace(WELL, carved={}, given={}, allocatable={}))
    assert not [each for each in findings if "GPU Operator" in each.check]


def test_what_the_credential_may_not_read_holds_no_stage_and_is_one_line_a_stage() -> None:
    """As the hub's own account sees a good site."""
    hidden = [Compared(f"Role {n} in vc-nlp", Stage.TENANCY, None, unseen=True) for n in range(39)]
    fields = frozenset({"default_storage", "allocatable", "exporters"})
    seen = replace(WELL, default_storage=None, allocatable=None, exporters=None, unseen=fields)
    findings = examine(replace(seen, compared=(*WELL.compared, *hidden)))
    assert stage_reached(findings) is Stage.FACTORY
    unseen = [each for each in findings if each.verdict is Verdict.UNSEEN]
    assert [each.check for each in unseen if each.stage is Stage.TENANCY] == ["39 of 40 rendered objects"]
    assert len(unseen) == 4
    assert {each.seen for each in unseen} == {"this credential may not look"}


def test_an_address_for_pods_holds_no_stage_outside_of_them() -> None:
    service = Reached("the job service answers at http://x.svc/", Stage.PLATFORM, for_pods=True)
    findings = examine(replace(WELL, reached=(*WELL.reached, service)))
    assert stage_reached(findings) is Stage.FACTORY
    (found,) = [each for each in findings if each.verdict is Verdict.UNSEEN]
    assert "--probe" in found.todo


def test_unknown_is_not_wrong_and_not_good() -> None:
    findings = examine(SiteFacts(carved={"nvidia.com/mig-1g.10gb": 7}))
    assert Verdict.BAD not in {finding.verdict for finding in findings}
    assert stage_reached(findings) is None
    not_tried = Reached("vCluster", Stage.TENANCY, tried=False)
    (finding,) = [each for each in examine(replace(WELL, reached=(not_tried,))) if each.check == "vCluster"]
    assert finding.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("wanted", "found", "paths"),
    [
        ({"a": 1}, {"a": "1", "b": 2}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b"]),
        ({"a": {"b": 1}}, {}, ["a"]),
        ({"rules": [{"x": 1}, {"x": 2}]}, {"rules": [{"x": 1}, {"x": 3}]}, ["rules[1].x"]),
        ({"rules": [{"x": 1}]}, {"rules": [{"x": 1}, {"x": 2}]}, ["rules"]),
        ({"egress": []}, {}, []),
        ({"spec": {}}, {}, []),
        ({"on": True}, {"on": False}, ["on"]),
    ],
)
def test_differences_are_what_is_wanted_and_not_found(wanted: object, found: object, paths: list[str]) -> None:
    assert differences(wanted, found) == paths
