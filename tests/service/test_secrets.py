"""Secrets over real HTTP: set, listed, given to the jobs that list them, and told to nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from aifactory_hub.store import Jobs
from aifactory_hub.store.owners import Owners

from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService, running_service

VALUE = "hf_abcdefgh12345678"
JOB = {"command": "true", "profile": "mig-1g.10gb"}
OWN = "/tenants/nlp/secrets"


async def put(http: httpx.AsyncClient, name: str = "HF_TOKEN", value: str = VALUE, **asked: Any) -> httpx.Response:
    return await http.put(f"{OWN}/{name}", json={"value": value, **asked})


async def submit(http: httpx.AsyncClient, *names: str, key: str = "k", **asked: Any) -> httpx.Response:
    return await http.post("/jobs", json={**JOB, "key": key, "secrets": list(names), **asked})


async def test_a_secret_is_set_listed_and_removed_and_its_value_is_in_no_answer(service: RunningService) -> None:
    async with service.http("ada") as http, service.http("bob") as bob:
        answers = [await put(http), await put(http, value="another-value")]
        answers += [await http.get(OWN), await http.get(f"{OWN}/HF_TOKEN/uses")]
        assert [each.status_code for each in answers] == [200, 200, 200, 200]
        (listed,) = answers[2].json()["secrets"]
        told = {"name": "HF_TOKEN", "team": False, "changed_by": "ada", "revision": 2, "used": None}
        assert told.items() <= listed.items()
        assert (await bob.get(OWN)).json() == {"secrets": []}
        gone = await http.delete(f"{OWN}/HF_TOKEN")
        assert gone.json() == {"name": "HF_TOKEN", "team": False}
        again = await http.delete(f"{OWN}/HF_TOKEN")
        assert (again.status_code, again.json()["reason"]) == (404, "unknown-secret")
        for answer in [*answers, gone, again]:
            assert VALUE not in answer.text
            assert "another-value" not in answer.text


async def test_a_teams_secret_is_set_by_its_admins_and_used_by_all(service: RunningService) -> None:
    async with service.http("ada") as ada, service.http("grace") as grace:
        assert (await put(ada, team=True)).status_code == 403
        assert (await put(grace, team=True)).status_code == 200
        assert (await ada.get(OWN)).json()["secrets"][0]["team"] is True
        assert (await ada.delete(f"{OWN}/HF_TOKEN", params={"team": "true"})).status_code == 403
        assert (await ada.get(f"{OWN}/HF_TOKEN/uses", params={"team": "true"})).status_code == 403
        assert (await submit(ada, "HF_TOKEN")).status_code == 201
        assert (await grace.delete(f"{OWN}/HF_TOKEN", params={"team": "true"})).status_code == 200


@pytest.mark.parametrize("token", ["eve", "reader", "stranger", "no-access", "robot"])
async def test_who_may_submit_nothing_in_a_team_sets_and_sees_nothing_there(
    service: RunningService, token: str
) -> None:
    async with service.http(token) as http:
        for answer in (await put(http), await http.get(OWN), await http.delete(f"{OWN}/HF_TOKEN")):
            assert answer.status_code in (401, 403)


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("hf_token", {"value": VALUE}, "secret"),
        ("LD_PRELOAD", {"value": VALUE}, "secret"),
        ("HF_TOKEN", {"value": "short"}, "value"),
        ("HF_TOKEN", {"value": "x" * 40_000}, "value"),
        ("HF_TOKEN", {"value": 12345678}, "value"),
        ("HF_TOKEN", {}, "value"),
        ("HF_TOKEN", {"value": VALUE, "colour": 1}, "colour"),
    ],
)
async def test_what_can_not_be_kept_is_refused_by_field_and_without_the_value(
    service: RunningService, name: str, body: dict[str, Any], field: str
) -> None:
    async with service.http("ada") as http:
        answer = await http.put(f"{OWN}/{name}", json=body)
        assert (answer.status_code, answer.json()["field"]) == (400, field)
        for value in (VALUE, "12345678", "x" * 100):
            assert value not in answer.text


async def test_a_job_that_lists_it_gets_it_with_its_token_and_its_use_is_known(service: RunningService) -> None:
    async with service.http("ada") as http:
        await put(http)
        made = (await submit(http, "HF_TOKEN")).json()
        assert made["secrets"] == ["HF_TOKEN"]
        await submit(http, key="without")
        await service.reconciler.settle()
        with_it, without = sorted(service.engine.created, key=lambda spec: spec.run_id != made["id"] + "-1")
        if VALUE not in with_it.secret_files["job.json"]:
            with_it, without = without, with_it
        assert VALUE in with_it.secret_files["job.json"]
        assert VALUE not in str((with_it.environment, with_it.labels, with_it.argv))
        assert VALUE not in str(without)
        (use,) = (await http.get(f"{OWN}/HF_TOKEN/uses")).json()["uses"]
        assert (use["job"], use["user"], use["attempt"]) == (made["id"], "ada", 1)
        shown = await http.get(f"/jobs/{made['id']}")
        assert VALUE not in shown.text


@pytest.mark.parametrize("path", ["/jobs", "/jobs/dry-run"])
async def test_a_job_that_lists_one_that_is_not_there_is_refused(service: RunningService, path: str) -> None:
    async with service.http("ada") as http:
        answer = await http.post(path, json={**JOB, "key": "k", "secrets": ["HF_TOKEN"]})
        body = answer.json()
        told = body if path == "/jobs" else body["refusal"]
        assert told["reason"] == "secret-missing"
        assert told["field"] == "secrets"
        assert "There is no secret HF_TOKEN of yours or of team nlp." in str(body)


async def test_one_that_is_gone_when_the_job_starts_ends_it_by_name(service: RunningService) -> None:
    async with service.http("ada") as http:
        await put(http)
        job = (await submit(http, "HF_TOKEN")).json()["id"]
        await http.delete(f"{OWN}/HF_TOKEN")
        await service.reconciler.settle()
        found = (await http.get(f"/jobs/{job}")).json()
        assert (found["state"], found["reason"]) == (
            "FAILED",
            "there is no secret HF_TOKEN of ada or of team nlp any more",
        )
        assert service.engine.created == []


async def test_a_name_twice_or_as_a_variable_too_is_refused(service: RunningService) -> None:
    variable = {"environment": {"HF_TOKEN": "x"}}
    async with service.http("ada") as http:
        await put(http)
        for asked in ({"secrets": ["HF_TOKEN", "HF_TOKEN"]}, {**variable, "secrets": ["HF_TOKEN"]}):
            answer = await http.post("/jobs", json={**JOB, "key": "k", **asked})
            assert (answer.status_code, answer.json()["field"]) == (400, "secrets")
            assert "'HF_TOKEN' is there twice" in answer.text


async def test_a_retry_lists_the_same(service: RunningService) -> None:
    async with service.http("ada") as http:
        await put(http)
        job = (await submit(http, "HF_TOKEN")).json()["id"]
        await http.delete(f"/jobs/{job}")
        await service.reconciler.settle()
        again = await http.post(f"/jobs/{job}/retry", json={"key": "again"})
        assert again.json()["secrets"] == ["HF_TOKEN"]
        await http.delete(f"{OWN}/HF_TOKEN")
        refused = await http.post(f"/jobs/{job}/retry", json={"key": "once more"})
        assert refused.status_code in (400, 409)


async def test_a_restart_reads_what_was_kept(tmp_path: Path, hub: FakeHub) -> None:
    async with running_service(tmp_path, hub=hub, reconciling=False) as service, service.http("ada") as http:
        await put(http)
    async with running_service(tmp_path, hub=hub, reconciling=False) as service, service.http("ada") as http:
        await submit(http, "HF_TOKEN")
        await service.reconciler.settle()
        assert VALUE in service.engine.created[0].secret_files["job.json"]
    found = await asyncio.to_thread(lambda: list(tmp_path.rglob("*")))
    files = [file for file in found if file.suffix == ".sqlite"]
    assert files
    assert not any(VALUE.encode() in file.read_bytes() for file in files)


async def test_a_real_run_has_the_variable_and_its_log_has_not_the_value(working: RunningService) -> None:
    async with working.http("ada") as http:
        await put(http)
        command = 'test "$HF_TOKEN" = "$EXPECTED" && echo "the token is $HF_TOKEN."'
        made = await submit(http, "HF_TOKEN", command=command, environment={"EXPECTED": VALUE})
        job = made.json()["id"]
        async with asyncio.timeout(60):
            while not (found := (await http.get(f"/jobs/{job}")).json())["final"]:
                await asyncio.sleep(0.1)
        assert found["state"] == "SUCCEEDED", found
        log = (await http.get(f"/jobs/{job}/logs")).text
        assert "the token is [secret]." in log
        assert VALUE not in log


async def test_a_handed_over_account_has_no_secrets(service: RunningService) -> None:
    async with service.http("ada") as http:
        await put(http)
        await submit(http, "HF_TOKEN")
        await service.reconciler.settle()
        jobs: Jobs = service.context.jobs
        Owners(jobs.db, service.context.files).retire("ada", 1, now=1.0)
        assert (await http.get(OWN)).json() == {"secrets": []}
        assert (await http.get(f"{OWN}/HF_TOKEN/uses")).json() == {"uses": []}
