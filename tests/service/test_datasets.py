"""Datasets over real HTTP: named, versioned, given to jobs, and found again in what jobs made."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from ..support.job_service import RunningService
from ..support.models import trained

DIGEST = "d" * 64


async def make(http: httpx.AsyncClient, name: str = "claims", **asked: Any) -> httpx.Response:
    return await http.post("/datasets", json={"name": name, "data_class": "personal", "uri": "s3://data/x", **asked})


async def version(http: httpx.AsyncClient, digest: str = DIGEST, kind: str = "content", **asked: Any) -> httpx.Response:
    return await http.post("/datasets/claims/versions", json={"kind": kind, "digest": digest, **asked})


async def test_a_dataset_has_versions_by_digest(service: RunningService) -> None:
    async with service.http("ada") as http:
        made = await make(http)
        assert (made.status_code, made.json()["data_class"]) == (201, "personal")
        assert (await make(http)).status_code == 200
        assert (await make(http, data_class="public")).json()["reason"] == "dataset-exists"
        first = await version(http, count=3, size=10)
        assert (first.status_code, first.json()["version"]) == (201, 1)
        assert (await version(http)).status_code == 200
        assert (await version(http, "e" * 32, "dvc")).json()["version"] == 2
        (listed,) = (await http.get("/datasets")).json()["datasets"]
        assert (listed["name"], listed["newest"]["version"]) == ("claims", 2)
        detail = (await http.get("/datasets/claims")).json()
        assert [each["version"] for each in detail["versions"]] == [2, 1]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"name": "Claims!"}, "name"),
        ({"data_class": "red"}, "data_class"),
        ({"uri": "s3://key:secret@data/x"}, "uri"),
        ({"colour": 1}, "colour"),
    ],
)
async def test_what_can_t_be_named_is_said(service: RunningService, asked: dict[str, Any], field: str) -> None:
    async with service.http("ada") as http:
        answer = await make(http, **asked)
        assert (answer.status_code, answer.json()["field"]) == (400, field)


@pytest.mark.parametrize(
    ("kind", "digest"), [("content", "x"), ("dvc", DIGEST), ("lakefs", ""), ("content", DIGEST + "0")]
)
async def test_a_digest_looks_as_its_kind_wants(service: RunningService, kind: str, digest: str) -> None:
    async with service.http("ada") as http:
        await make(http)
        answer = await version(http, digest, kind)
        assert (answer.status_code, answer.json()["field"]) == (400, "digest")


async def test_what_a_job_was_given_is_signed_and_found_from_both_ends(service: RunningService) -> None:
    async with service.http("ada") as http:
        await make(http)
        await version(http)
        job = await trained(service, data=["claims@1"], name="train")
        again = await http.post(f"/jobs/{job}/retry", json={"key": "again"})
        assert again.status_code == 201
        await http.post("/models/fraud/versions", json={"job": job, "files": "model/"})
        detail = (await http.get("/models/fraud/versions/1")).json()
        (data,) = [
            each
            for each in detail["provenance"]["buildDefinition"]["resolvedDependencies"]
            if each["name"].startswith("data:")
        ]
        assert (data["name"], data["digest"]) == ("data:claims@1", {"sha256": DIGEST})
        assert (data["annotations"]["known"], data["annotations"]["class"]) == ("declared", "personal")
        assert (await http.post("/models/fraud/versions/1/verify")).json()["ok"]
        down = (await http.get("/lineage", params={"of": "dataset:claims@1", "direction": "down"})).json()
        labels = [(node["kind"], node["label"]) for node in down["nodes"]]
        assert ("version", "fraud@1") in labels
        assert [kind for kind, _ in labels].count("job") == 2  # the one that was tried again has the same data
        up = (await http.get("/lineage", params={"of": "model:fraud@1", "direction": "up"})).json()
        assert ("data", "claims@1") in [(node["kind"], node["label"]) for node in up["nodes"]]
        view = service.context.models.facts_of_job(service.context.jobs.get(job), 1)  # type: ignore[arg-type]
        assert [material.name for material in view.materials if material.kind == "data"] == ["claims@1"]


@pytest.mark.parametrize("named", ["claims", "claims@2", "claims@", "nothing@1", "claims@dddd"])
async def test_data_that_there_is_not_is_refused_by_name(service: RunningService, named: str) -> None:
    async with service.http("ada") as http:
        await make(http)
        await version(http)
        body = {"command": "true", "profile": "mig-1g.10gb", "key": "k", "data": [named]}
        answer = await http.post("/jobs", json=body)
        assert (answer.status_code, answer.json()["field"]) == (400, "data")
        assert named in answer.json()["detail"]
        dry = (await http.post("/jobs/dry-run", json=body)).json()
        assert dry["accepted"] is False
        assert (await http.get("/jobs")).json()["jobs"] == []


async def test_a_digest_or_latest_names_a_version_too_and_the_same_key_is_one_job(service: RunningService) -> None:
    async with service.http("ada") as http:
        await make(http)
        await version(http)
        body = {
            "command": "true",
            "profile": "mig-1g.10gb",
            "key": "k",
            "data": ["claims@latest", f"claims@{DIGEST[:12]}"],
        }
        first, second = [await http.post("/jobs", json=body) for _ in range(2)]
        assert (first.status_code, second.status_code) == (201, 200)
        given = service.context.models.datasets.of_jobs([first.json()["id"]])
        assert [(each.version.number, each.known) for each in given] == [(1, "declared")]


async def test_another_team_s_data_is_not_there(service: RunningService) -> None:
    async with service.http("eve") as eve:
        await make(eve)
        await eve.post("/datasets/claims/versions", json={"kind": "content", "digest": DIGEST})
    async with service.http("ada") as http:
        assert (await http.get("/datasets/claims")).status_code == 404
        body = {"command": "true", "profile": "mig-1g.10gb", "key": "k", "data": ["claims@1"]}
        assert (await http.post("/jobs", json=body)).json()["field"] == "data"
