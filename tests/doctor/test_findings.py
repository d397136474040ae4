"""What the doctor says of facts: a table of sites, and how wrong, unknown and lacking are told apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aifactory_hub.domain.doctor import (
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

WELL = SiteFacts(
    version=(1, 35),
    apis=frozenset({KUEUE_API, MONITORING_API}),
    default_storage=True,
    allocatable={"nvidia.com/mig-1g.10gb": 7},
    carved={"nvidia.com/mig-1g.10gb": 7},
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
)


def test_a_site_that_is_well_has_come_to_the_last_stage() -> None:
    findings = examine(WELL)
    assert {finding.verdict for finding in findings} == {Verdict.GOOD}
    assert stage_reached(findings) is Stage.FACTORY
    assert {finding.stage for finding in findings} == set(Stage)


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
