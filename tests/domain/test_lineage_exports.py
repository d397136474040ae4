"""Lineage for other programs, from the facts of jobs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.lineage import Edge, Graph, Node, NodeKind
from aifactory_hub.domain.lineage_export import ExportedJob, VersionExport
from aifactory_hub.domain.mlbom import bill_of_materials
from aifactory_hub.domain.models import ModelFacts, ModelVersion
from aifactory_hub.domain.openlineage import events
from aifactory_hub.domain.statements import BuildFacts
from aifactory_hub.signing.manifest import FileEntry

VERSION = ModelVersion("v1", "m1", 3, "a" * 64, "b" * 64, 7, 1, "j1", 2, "", "ada", 50.0)
FACTS = BuildFacts(
    job="j1",
    attempt=2,
    tenant="nlp",
    owner="ada",
    parameters={"name": "train", "command": "python train.py", "template": None, "parameters": {"rate": "1"}},
    place={},
    materials=[],
    builder="https://hub.example.org/services/aifactory/",
    builder_version="1.0",
    started=10.0,
    finished=20.5,
    log=None,
    claims={"metrics": {"accuracy": 0.9}},
)
NODES = (
    Node(NodeKind.VERSION, "version:v1", "fraud@3", "a" * 64, tenant="nlp", about={"model": "fraud", "version": 3}),
    Node(NodeKind.JOB, "job:j1", "train", tenant="nlp"),
    Node(NodeKind.FILES, "files:f", "snapshot", "f" * 64),
    Node(NodeKind.DATA, "other:1", "another team's data", "d" * 64, foreign=True),
    Node(NodeKind.JOB, "job:gone", "gone", known="missing", tenant="nlp"),
)
EDGES = (
    Edge("job:j1", "version:v1", "made"),
    Edge("files:f", "job:j1", "went into"),
    Edge("other:1", "job:j1", "went into"),
)


def export(state: JobState = JobState.SUCCEEDED, **facts: Any) -> VersionExport:
    return VersionExport(
        model=ModelFacts("m1", "nlp", "fraud", 1.0, "ada", "Finds fraud."),
        version=VERSION,
        files=[FileEntry("w.safetensors", 7, "e" * 64)],
        graph=Graph(NODES, EDGES),
        jobs={"job:j1": ExportedJob(replace(FACTS, **facts), state)},
        hub="hub",
        service=FACTS.builder,
        service_version="1.0",
        at=100.0,
    )


@pytest.mark.parametrize(
    ("state", "finished", "kinds"),
    [
        (JobState.SUCCEEDED, 20.5, ["START", "COMPLETE"]),
        (JobState.FAILED, 20.5, ["START", "FAIL"]),
        (JobState.CANCELLED, 20.5, ["START", "ABORT"]),
        (JobState.RUNNING, None, ["START"]),
    ],
)
def test_a_run_has_a_beginning_and_an_end(state: JobState, finished: float | None, kinds: list[str]) -> None:
    found = events(export(state, finished=finished))
    assert [event["eventType"] for event in found] == kinds
    assert len({event["run"]["runId"] for event in found}) == 1
    assert found[0]["eventTime"] == "1970-01-01T00:00:10.000+00:00"


def test_another_attempt_is_another_run() -> None:
    first, second = (events(export(attempt=attempt))[0]["run"] for attempt in (1, 2))
    assert first["runId"] != second["runId"]


def test_another_team_s_data_is_named_by_its_digest() -> None:
    inputs = events(export())[-1]["inputs"]
    assert [(each["namespace"], each["name"]) for each in inputs] == [
        ("aifactory-hub://hub/nlp", f"files/{'f' * 64}"),
        ("aifactory-hub://hub", "other:1"),
    ]
    assert inputs[1]["facets"]["version"]["datasetVersion"] == "d" * 64


def test_what_the_job_says_of_itself_is_marked_as_claimed() -> None:
    model = bill_of_materials(export())["metadata"]["component"]
    assert model["modelCard"]["quantitativeAnalysis"] == {"performanceMetrics": [{"type": "accuracy", "value": "0.9"}]}
    told = {each["name"]: each["value"] for each in model["properties"]}
    assert told["aifactory-hub:metrics"] == "claimed by the job"
    assert told["aifactory-hub:manifestDigest"] == "a" * 64
    assert "hashes" not in model, "the digest stands for a list of files, and is none of a file's"
    silent = bill_of_materials(export(claims={}))["metadata"]["component"]
    assert "quantitativeAnalysis" not in silent["modelCard"]


def test_the_same_version_has_the_same_serial_number() -> None:
    first, second = bill_of_materials(export()), bill_of_materials(replace(export(), at=200.0))
    assert first["serialNumber"] == second["serialNumber"]
    assert first["metadata"]["timestamp"] != second["metadata"]["timestamp"]
    other = replace(export(), version=replace(VERSION, id="v2"))
    assert bill_of_materials(other)["serialNumber"] != first["serialNumber"]
