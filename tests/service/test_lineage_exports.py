"""What a version came from, as other programs read it, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from openlineage.client import event_v2, facet_v2
from openlineage.client.serde import Serde

from aifactory_hub.domain.lineage_export import address_in

from ..support.job_service import RunningService
from ..support.models import trained
from .test_datasets import make, version

COMMIT, DIGEST = "c" * 40, "d" * 64
REPOSITORY = "https://git.example.org/fraud"
# The classes that OpenLineage's own client has for the facets of ours.
FACETS = {
    "processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet,
    "executionParameters": facet_v2.execution_parameters_run.ExecutionParametersRunFacet,
    "jobType": facet_v2.job_type_job.JobTypeJobFacet,
    "ownership": facet_v2.ownership_job.OwnershipJobFacet,
    "sourceCodeLocation": facet_v2.source_code_location_job.SourceCodeLocationJobFacet,
    "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet,
    "datasetType": facet_v2.dataset_type_dataset.DatasetTypeDatasetFacet,
}


async def exported(service: RunningService, form: str, *, of: str = "fraud/versions/latest") -> Any:
    async with service.http("ada") as http:
        answer = await http.get(f"/models/{of}/lineage", params={"format": form})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def registered(service: RunningService, model: str, *, who: str = "ada", **asked: Any) -> str:
    told = {"commit": COMMIT, "repository": REPOSITORY, "branch": "main", "dirty": False}
    files = {"model/w.safetensors": model.encode(), "model/card.md": b"# Card"}
    more = {"provenance": told, **asked}
    job = await trained(service, files, who=who, key=model, name=f"train {model}", **more)
    async with service.http(who) as http:
        answer = await http.post(f"/models/{model}/versions", json={"job": job, "files": "model/"})
        assert answer.status_code == 201, answer.text
    return job


@pytest.fixture
async def tuned(service: RunningService) -> str:
    """The job of a version of fraud that was made of data, a commit and version 1 of base."""
    async with service.http("ada") as http:
        assert (await make(http)).status_code == 201
        assert (await version(http)).status_code == 201
        assert (await version(http, "e" * 32, "dvc")).status_code == 201
    await registered(service, "base")
    environment = {"TOKEN": "hunter2"}
    return await registered(service, "fraud", data=["claims@1", "claims@2", "model:base@1"], environment=environment)


def as_their_client(event: Mapping[str, Any]) -> Any:
    """The same event, said with the classes of OpenLineage's own client and written by it."""

    def facets(said: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: FACETS[name](**{n: v for n, v in facet.items() if not n.startswith("_")}, producer=facet["_producer"])
            for name, facet in said.items()
        }

    def datasets(kind: Any, said: Any) -> list[Any]:
        return [kind(each["namespace"], each["name"], facets=facets(each["facets"])) for each in said]

    job, run = event["job"], event["run"]
    built = event_v2.RunEvent(
        eventTime=event["eventTime"],
        producer=event["producer"],
        run=event_v2.Run(run["runId"], facets(run["facets"])),
        job=event_v2.Job(job["namespace"], job["name"], facets(job["facets"])),
        eventType=event_v2.RunState(event["eventType"]),
        inputs=datasets(event_v2.InputDataset, event.get("inputs", [])),
        outputs=datasets(event_v2.OutputDataset, event.get("outputs", [])),
    )
    return _without_empty(json.loads(Serde.to_json(built)))


def _without_empty(said: Any) -> Any:
    """Without what the client writes for fields that were not set."""
    if isinstance(said, dict):
        return {name: _without_empty(value) for name, value in said.items() if value not in ({}, [])}
    return [_without_empty(each) for each in said] if isinstance(said, list) else said


async def test_events_are_as_openlineage_s_own_client_writes_them(service: RunningService, tuned: str) -> None:
    events = await exported(service, "openlineage")
    assert [(each["eventType"], each["job"]["name"]) for each in events] == [
        ("COMPLETE", "train base"),
        ("COMPLETE", "train fraud"),
    ]
    for event in events:
        assert as_their_client(event) == event
    last = events[-1]
    assert last["job"]["namespace"] == "aifactory-hub://test/nlp"
    assert last["job"]["facets"]["sourceCodeLocation"] | {"_schemaURL": ""} == {
        "_producer": last["producer"],
        "_schemaURL": "",
        "type": "git",
        "url": REPOSITORY,
        "repoUrl": REPOSITORY,
        "version": COMMIT,
        "branch": "main",
    }
    inputs = {each["name"]: each["facets"].get("version", {}).get("datasetVersion") for each in last["inputs"]}
    assert inputs["datasets/claims"] in (f"1:{DIGEST}", f"2:{'e' * 32}")
    assert inputs["models/base"].startswith("1:")
    assert [each["name"] for each in last["outputs"]] == ["models/fraud"]
    assert last["run"]["runId"] == (await exported(service, "openlineage"))[-1]["run"]["runId"]
    assert "hunter2" not in json.dumps(events)


async def test_a_bill_of_materials_is_one_of_cyclonedx(service: RunningService, tuned: str) -> None:
    bill = await exported(service, "cyclonedx")
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill))
    assert wrong is None, str(wrong)[:400]
    model = bill["metadata"]["component"]
    assert (model["type"], model["name"], model["version"]) == ("machine-learning-model", "fraud", "1")
    assert [(file["name"], file["hashes"][0]["alg"]) for file in model["components"]] == [
        ("card.md", "SHA-256"),
        ("w.safetensors", "SHA-256"),
    ]
    parts = {each["bom-ref"]: each for each in bill["components"]}
    data = {each["version"]: each.get("hashes") for each in parts.values() if each["type"] == "data"}
    assert data == {
        "1": [{"alg": "SHA-256", "content": DIGEST}],
        "2": [{"alg": "MD5", "content": "e" * 32}],
    }
    assert {part["ref"] for part in model["modelCard"]["modelParameters"]["datasets"]} <= parts.keys()
    (needed,) = [each["dependsOn"] for each in bill["dependencies"] if each["ref"] == model["bom-ref"]]
    kinds = sorted(f"{parts[ref]['type']} {parts[ref]['name']}" for ref in needed)
    base = "machine-learning-model base"
    assert kinds == ["application cccccccccccc", "container the site's", "data claims", "data claims", base]
    (source,) = [each for each in parts.values() if each["name"] == COMMIT[:12]]
    assert source["externalReferences"] == [{"type": "vcs", "url": REPOSITORY}]
    flows = {each["name"]: each for each in bill["formulation"][0]["workflows"]}
    assert flows.keys() == {"train fraud", "train base"}
    told = {each["name"]: each["value"] for each in flows["train fraud"]["properties"]}
    assert (told["aifactory-hub:job"], told["aifactory-hub:environment"]) == (tuned, "TOKEN")
    assert "hunter2" not in json.dumps(bill)


async def test_other_teams_are_named_by_digests_alone(service: RunningService, tuned: str) -> None:
    theirs = await registered(service, "secret-model", who="eve")
    registry = service.context.models.registry
    loaded = registry.of_job([theirs])[0]
    registry.note_use(loaded.id, "ada", tuned, 1.0)
    async with service.http("eve") as http:
        assert (await http.get("/models/fraud/versions/1/lineage")).status_code == 404
    for form in ("openlineage", "cyclonedx"):
        told = json.dumps(await exported(service, form))
        assert loaded.digest in told
        assert all(word not in told for word in ("secret", "user:eve", "vision", theirs, loaded.id)), told


@pytest.mark.parametrize(
    ("asked", "status"), [({"format": "spdx"}, 400), ({"format": "cyclonedx", "colour": "1"}, 400), ({}, 200)]
)
async def test_the_form_is_one_of_two(service: RunningService, tuned: str, asked: dict[str, str], status: int) -> None:
    async with service.http("ada") as http:
        assert (await http.get("/models/fraud/versions/1/lineage", params=asked)).status_code == status


async def test_a_repository_with_a_password_is_not_told(service: RunningService) -> None:
    told = {"commit": COMMIT, "repository": "https://ada:hunter2@git.example.org/fraud"}
    await registered(service, "fraud", provenance=told)
    for form in ("openlineage", "cyclonedx"):
        assert "hunter2" not in json.dumps(await exported(service, form))
    (event,) = await exported(service, "openlineage")
    assert "sourceCodeLocation" not in event["job"]["facets"]
    assert f"commits/{COMMIT[:12]}" in [each["name"] for each in event["inputs"]]
    assert [address_in(text) for text in (REPOSITORY, "git@example.org:a", None)] == [REPOSITORY, "", ""]
