"""What rules see: enough to judge by, nothing that a message could give away, and never too much."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from aifactory_hub.domain.gate_views import (
    LONGEST_TEXT,
    MOST_ENTRIES,
    AskedJob,
    Person,
    at_time,
    image_view,
    job_digest,
    job_view,
    names,
    pod_view,
    pods_of,
    server_digest,
    server_view,
)
from aifactory_hub.domain.job_spec import JobSpec
from aifactory_hub.domain.tenants import Role

from ..support.tenants import make_catalogue, make_tenant

NOW = 1_800_000_000.0
PROFILE = replace(make_catalogue().profile("mig-1g.10gb"), price_per_hour=Decimal("0.40"), currency="EUR")
DIGEST = "sha256:" + "a" * 64
SPEC = JobSpec(
    name="train",
    command="python train.py --password hunter2",
    profile="mig-1g.10gb",
    environment={"TOKEN": "hunter2", "EPOCHS": "3"},
    parameters={"rate": "hunter2"},
    input_sha256="b" * 64,
    max_retries=1,
    nodes=2,
)


def asked(**changes: Any) -> AskedJob:
    spec = replace(SPEC, **{name: changes.pop(name) for name in list(changes) if hasattr(SPEC, name)})
    made = AskedJob(
        make_tenant("nlp"), Person("ada", Role.MEMBER), spec, f"images.example.org/a@{DIGEST}", "jobset", 3600, PROFILE
    )
    return replace(made, **changes)


def view(**changes: Any) -> dict[str, Any]:
    return job_view(asked(**changes), "submit", NOW)


def test_a_job_is_seen_with_who_asks_for_it_and_what_it_takes() -> None:
    seen = view()
    assert (seen["verb"], seen["team"]["name"], seen["user"]) == ("submit", "nlp", {"name": "ada", "role": "member"})
    assert seen["now"].isoformat() == "2027-01-15T08:00:00+00:00"
    job = seen["job"]
    assert (job["name"], job["engine"], job["nodes"]) == ("train", "jobset", 2)
    assert (job["max_seconds"], job["retries"]) == (3600, 1)
    assert job["image"]["digest"] == DIGEST
    assert seen["devices"] == {"known": True, "total": 2, "by_resource": {"nvidia.com/mig-1g.10gb": 2}}
    assert seen["cost"] == {"known": True, "currency": "EUR", "hourly": 0.8, "most": 1.6}


def test_nothing_that_may_be_secret_is_seen() -> None:
    assert "hunter2" not in json.dumps(view(), default=str)
    assert view()["job"]["environment"] == ["EPOCHS", "TOKEN"]
    assert view()["job"]["parameters"] == ["rate"]


def test_what_is_not_known_is_not_there() -> None:
    assert view(person=Person("ada"))["user"] == {"name": "ada"}
    gone = job_view(replace(asked(), profile=None), "submit", NOW)
    assert (gone["devices"], gone["cost"]) == ({"known": False}, {"known": False})
    free = job_view(replace(asked(), profile=replace(PROFILE, price_per_hour=None)), "submit", NOW)
    assert free["cost"] == {"known": False}


@pytest.mark.parametrize(
    ("told", "source"),
    [
        (None, {"repository": "", "commit": "", "branch": "", "dirty": True}),
        (
            {"commit": "c0ffee", "branch": "main", "dirty": False},
            {"commit": "c0ffee", "branch": "main", "dirty": False},
        ),
        ({"commit": "c0ffee"}, {"commit": "c0ffee", "dirty": True}),
        ({"dirty": "no"}, {"dirty": True}),
        ({"git": "https://git.example.org/a@main", "commit": "c0ffee"}, {"repository": "https://git.example.org/a"}),
        ({"git": "HEAD", "commit": "c0ffee"}, {"repository": ""}),
        ({"signed": True}, {"signed": False}),
        ({"commit": ["a"]}, {"commit": ""}),
    ],
)
def test_where_it_comes_from_is_what_is_told_and_no_better(told: Any, source: dict[str, Any]) -> None:
    seen = view(provenance=told)["job"]["source"]
    assert {name: seen[name] for name in source} == source


def test_labels_and_data_are_read_as_far_as_they_can_be() -> None:
    told = {
        "labels": {"stage": "production", "odd": 3},
        "data": [{"name": "patients", "class": "personal", "region": "eu"}, {"name": "x"}, "not one"],
    }
    job = view(provenance=told)["job"]
    assert job["labels"] == {"odd": "", "stage": "production"}
    assert [(each["name"], each["class"]) for each in job["data"]] == [("patients", "personal"), ("x", "unknown")]
    for odd in ("text", 3, None, ["text"], {"a": 1}):
        assert view(provenance={"data": odd})["job"]["data"] == []


def test_lists_are_bounded_and_say_that_there_is_more() -> None:
    many = [f"name-{number:04}" for number in range(500)]
    assert len(names(many)) == MOST_ENTRIES
    assert names(many)[-1] == "/and 402 more"
    assert names(many[:MOST_ENTRIES]) == many[:MOST_ENTRIES]
    data = view(provenance={"data": [{"name": "a", "class": "public"}] * 500})["job"]["data"]
    # What is not seen is of no class that is known, so it passes no rule about classes.
    assert (len(data), data[-1]["class"]) == (MOST_ENTRIES, "unknown")
    assert len(view(provenance={"commit": "x" * 9999})["job"]["source"]["commit"]) == LONGEST_TEXT


@pytest.mark.parametrize("odd", ["\ud800", "a\x00b", "\u202ea"])
def test_texts_of_members_are_ones_that_can_be_evaluated_and_printed(odd: str) -> None:
    source = view(provenance={"branch": odd, "labels": {odd: odd}})["job"]
    for text in (source["source"]["branch"], *source["labels"], *source["labels"].values()):
        assert text.isprintable() and text.encode()


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("train", ("train", "", "")),
        ("train:1", ("train", "1", "")),
        (f"r.example:5000/a/train:1@{DIGEST}", ("r.example:5000/a/train", "1", DIGEST)),
        ("r.example:5000/train", ("r.example:5000/train", "", "")),
        ("train@md5:1", ("train", "", "")),
    ],
)
def test_an_image_is_seen_by_its_parts(name: str, parts: tuple[str, str, str]) -> None:
    seen = image_view(name)
    assert (seen["repository"], seen["tag"], seen["digest"]) == parts


def test_the_digest_covers_whatever_decides_what_runs() -> None:
    first = job_digest("nlp", "ada", SPEC)
    assert first == job_digest("nlp", "ada", replace(SPEC, sweep="s", notify=("x",)))
    changes: list[dict[str, Any]] = [
        {"name": "x"},
        {"command": "x"}, {"profile": "x"}, {"environment": {}}, {"outputs": ("x",)}, {"input_sha256": None},
        {"backend": "x"}, {"image": "x"}, {"priority": "high"}, {"max_seconds": 1}, {"max_retries": 0}, {"nodes": 1},
        {"template": "x"}, {"parameters": {}}, {"provenance": {"commit": "x"}}, {"provenance": {"labels": {"a": "b"}}},
        {"provenance": {"data": [{"name": "x"}]}},
    ]  # fmt: skip
    others = {job_digest("nlp", "ada", replace(SPEC, **change)) for change in changes}
    others |= {job_digest("vision", "ada", SPEC), job_digest("nlp", "eve", SPEC)}
    assert len(others) == len(changes) + 2 and first not in others


def test_a_server_is_seen_by_the_hour() -> None:
    seen = server_view(make_tenant("nlp"), Person("ada"), PROFILE, "notebook:1", "start-server", NOW, server="big")
    assert (seen["server"]["name"], seen["server"]["profile"], seen["cost"]["most"]) == ("big", "mig-1g.10gb", 0.4)
    assert server_digest("nlp", "ada", "", "a", "b") != server_digest("nlp", "ada", "a", "", "b")


def test_pods_are_found_wherever_an_engine_has_them() -> None:
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}}
    job = {"kind": "Job", "spec": {"template": pod}}
    jobset = {"kind": "JobSet", "spec": {"replicatedJobs": [{"template": {"spec": {"template": pod}}}]}}
    assert pods_of([job, jobset, {"kind": "Process", "argv": []}]) == [pod, pod]
    seen = pod_view(pod, "vc-nlp")
    assert (seen["object"]["kind"], seen["object"]["metadata"]["namespace"]) == ("Pod", "vc-nlp")
    assert seen["request"]["operation"] == "CREATE"


def test_a_view_can_be_looked_at_later() -> None:
    assert at_time(view(), NOW + 3600)["now"].hour == view()["now"].hour + 1
