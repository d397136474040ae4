"""Every route and verb of the OpenAPI with every kind of token, against objects of another team and ones that are not.

Nothing of team nlp's reaches anybody else, "not yours" and "not there" look alike, and nothing answers 5xx. A new route
is covered by itself: one that has a parameter or a body that is not in the tables here fails the test.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from aifactory_hub import constants
from aifactory_hub.domain.usage import FactKind, Possession, Source, UsageFact
from aifactory_hub.service.api.app import describe
from aifactory_hub.store import Artifact

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import PREFIX, RunningService, running_service
from ..support.uploads import manifest_of, pack_of, send_files, sha256

MARK = "MARKER-OF-NLP"
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
FILES = {"secret.txt": MARK.encode()}
JOB = {"command": f"echo {MARK}", "profile": "mig-1g.10gb", "name": MARK, "environment": {"A": MARK}}
NOWHERE = {
    "job": "j0123456789ab",
    "schedule": "s0123456789ab",
    "tenant": "nowhere",
    "sha256": "0" * 64,
    "name": "nothing.txt",
    "pod": "11111111-nothing",
    "month": "2019-01",
}
# By operationId, for those with a body. A body that is a file is in FILE_BODIES.
BODIES: dict[str, Any] = {
    "submitJob": {"command": "true", "profile": "mig-1g.10gb", "key": "matrix"},
    "dryRunJob": {"command": "true", "profile": "mig-1g.10gb"},
    "retryJob": {"key": "matrix-retry"},
    "runSchedule": {"key": "matrix-run"},
    "makeSchedule": {"key": "matrix", "cron": "0 5 * * *", "job": {"command": "true", "profile": "mig-1g.10gb"}},
    "changeSchedule": {"paused": True},
    "findMissingFiles": {"sha256": []},
    "reportProgress": {"progress": 66},
    "reportEnd": {"exit_code": 0},
    "correctHold": {"void": True, "reason": "evil"},
}
FILE_BODIES = {
    "uploadPack": pack_of(FILES),
    "uploadManifest": manifest_of(FILES),
    "putLog": b"evil",
    "putLogPiece": b"evil",
    "putArtifact": b"evil",
}
# Whose body names the team that it acts in.
NAMES_TENANT = {"submitJob", "dryRunJob", "makeSchedule", "findMissingFiles"}
QUERIES = {"offset": "0", "cron": "0 5 * * *", "user": "ada"}
# Parameters that name no object and no team.
OF_NOTHING = {"cron", "time_zone", "count", "month"}
# Headers that differ between any two answers.
OF_THE_MOMENT = {"date", "content-length", "etag"}


@dataclass
class Site:
    """The service with objects of nlp's in it."""

    service: RunningService
    real: Mapping[str, str]
    tokens: Mapping[str, str | None]
    own_job: str
    own_token: str
    asked: int = 0
    wrong: list[str] = field(default_factory=list)


@pytest.fixture
async def site(tmp_path: Path, hub: FakeHub) -> AsyncIterator[Site]:
    read = [constants.SCOPE_READ]
    hub.add("viewer-of-vision", "vera", scopes_for("vision", names=read))
    hub.add("admin-of-vision", "adam", scopes_for("vision"), groups=["tenant-vision", "tenant-vision-admin"])
    hub.add("scopes-of-nlp", "kai", scopes_for("nlp", "vision"))
    # The token has the scopes that it had, and the provider says that its owner has left nlp.
    hub.memberships["kai"] = {"standing": "known", "tenants": {"vision": "admin"}, "resolved_at": 0}
    async with running_service(tmp_path, hub=hub, reconciling=False) as service:
        async with service.http("ada") as ada, service.http("eve") as eve:
            files = await send_files(ada, FILES)
            notify = ["https://hooks.example.org/" + MARK]
            asked = {**JOB, "key": "k", "files": files, "notify": notify, "provenance": {"branch": MARK}}
            job_id = (await ada.post("/jobs", json=asked)).json()["id"]
            other = (await eve.post("/jobs", json={**JOB, "key": "k", "name": "of vision", "command": "true"})).json()
            made = await ada.post("/schedules", json={"key": "s", "cron": "0 5 * * *", "job": {**JOB}})
        await service.reconciler.settle()
        digest = sha256(pack_of(FILES))
        fill(service, job_id)
        specs = {spec.run_id: spec.secret_files["token"] for spec in service.engine.created}
        real = {
            "job": job_id,
            "schedule": made.json()["id"],
            "tenant": "nlp",
            "sha256": digest,
            "name": f"{MARK}.txt",
            "pod": "22222222-of-nlp",
            "month": "2019-02",
        }
        service.context.ledger.append([hold_of_nlp(real["pod"])])
        tokens = {
            "nobody": None,
            "garbage": "garbage",
            "member of another team": "eve",
            "viewer of another team": "viewer-of-vision",
            "admin of another team": "admin-of-vision",
            "has left the team": "scopes-of-nlp",
            "another job's runner": specs[other["id"]],
            "no scopes": "stranger",
            "no access to the service": "no-access",
            "a service": "robot",
        }
        yield Site(service, real, tokens, job_id, specs[job_id])


def hold_of_nlp(pod: str) -> UsageFact:
    """A pod of ada's that goes on since January 2019."""
    whose = Possession("nlp", "ada", MARK, "job", MARK, MARK, MARK, {MARK: 1})
    return UsageFact.exact(pod, FactKind.BOUND, Source.WATCH, 1_546_500_000, 1_546_500_000, possession=whose, note=MARK)


def fill(service: RunningService, job_id: str) -> None:
    """A log and a file of the job's."""
    content = MARK.encode()
    for key in (service.context.files.log(job_id, 1), service.context.files.artifact(job_id, f"{MARK}.txt")):
        with service.context.files.incoming(100) as incoming:
            incoming.write(content)
            incoming.keep(key)
    digest = hashlib.sha256(content).hexdigest()
    service.context.jobs.attempts.record_log(job_id, 1, size=len(content), sha256=digest)
    service.context.jobs.put_artifact(job_id, Artifact(f"{MARK}.txt", len(content), digest, 1.0))


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each path with each verb, and what the description says of it; {} for a verb that it does not have."""
    for path, item in describe(PREFIX)["paths"].items():
        for verb in VERBS:
            yield path, verb, item.get(verb.lower(), {})


def request_for(path: str, said: Mapping[str, Any], values: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The address and the rest of a request that is in order, for these objects."""
    name, query = said.get("operationId", ""), {}
    for parameter in said.get("parameters", []):
        if parameter["in"] == "query" and parameter["name"] == "tenant":
            query["tenant"] = values["tenant"]
        elif parameter["in"] == "query" and parameter["required"]:
            query[parameter["name"]] = QUERIES[parameter["name"]]
    rest: dict[str, Any] = {"params": query, "headers": {}}
    media = said.get("requestBody", {}).get("content", {})
    if name in FILE_BODIES:
        rest["content"] = FILE_BODIES[name]
        rest["headers"]["X-Content-SHA256"] = sha256(FILE_BODIES[name])
    elif media:
        named = {"tenant": values["tenant"]} if name in NAMES_TENANT else {}
        rest["content"] = json.dumps({**BODIES[name], **named})
    return path.format_map(values), rest


async def ask(http: httpx.AsyncClient, verb: str, url: str, rest: Mapping[str, Any]) -> tuple[int, dict[str, str], str]:
    """Status, headers and the beginning of the body: an answer that stays open is not waited for."""
    got = b""
    async with http.stream(verb, url, **rest) as response:
        try:
            async with asyncio.timeout(1.0):
                async for chunk in response.aiter_bytes():
                    got += chunk
                    if len(got) > 100_000 or b"\n\nevent: " in got:
                        break
        except TimeoutError:
            pass
        headers = {name: value for name, value in response.headers.items() if name not in OF_THE_MOMENT}
        return response.status_code, headers, got.decode("utf-8", "replace")


def without_ids(text: str, *values: Mapping[str, str]) -> str:
    for value in sorted({each for of in values for each in of.values()}, key=len, reverse=True):
        text = text.replace(value, "<id>")
    return text


def is_open_to_all(said: Mapping[str, Any]) -> bool:
    return bool(said) and "security" not in said


async def test_nobody_of_another_team_gets_at_anything(site: Site) -> None:
    for who, token in site.tokens.items():
        async with site.service.http(token) as http:
            for path, verb, said in operations():
                where = f"{verb} {path} as {who}"
                url, rest = request_for(path, said, site.real)
                status, headers, text = await ask(http, verb, url, rest)
                url, rest = request_for(path, said, NOWHERE)
                other = await ask(http, verb, url, rest)
                site.asked += 2
                marked = without_ids(text, {"name": site.real["name"]})
                if MARK in marked or any(MARK in value for value in headers.values()):
                    site.wrong.append(f"{where}: {status} tells {text[:200]}")
                if status >= 500 or other[0] >= 500:
                    site.wrong.append(f"{where}: {status}, {other[0]}")
                if status < 300 and not is_open_to_all(said) and not own_answer(path, verb, said):
                    site.wrong.append(f"{where}: {status} {text[:200]}")
                told = (status, headers, without_ids(text, site.real, NOWHERE))
                if told != (other[0], other[1], without_ids(other[2], site.real, NOWHERE)) and not is_open_to_all(said):
                    site.wrong.append(f"{where}: {told} is not {other}")
    assert site.wrong == []
    assert site.asked >= 2 * len(site.tokens) * len(VERBS) * len(describe(PREFIX)["paths"])
    await untouched(site)


def own_answer(path: str, verb: str, said: Mapping[str, Any]) -> bool:
    """What says the same to every member of any team: it names no object and no team."""
    parameters = {each["name"] for each in said.get("parameters", [])} | {
        part[1:-1] for part in path.split("/") if part.startswith("{")
    }
    return verb == "GET" and bool(said) and parameters <= OF_NOTHING


async def untouched(site: Site) -> None:
    """Nothing of nlp's was changed by all those requests."""
    async with site.service.http("ada") as ada:
        job = (await ada.get(f"/jobs/{site.own_job}")).json()
        schedule = (await ada.get(f"/schedules/{site.real['schedule']}")).json()
        listed = (await ada.get("/jobs")).json()["jobs"]
        log = (await ada.get(f"/jobs/{site.own_job}/logs")).text
    assert (job["cancel_asked"], job["progress"], job["name"]) == (False, None, MARK)
    assert (schedule["paused"], len(listed), log) == (False, 1, MARK)
    assert (site.service.context.ledger.head(), site.service.context.billing.closed()) == (1, {})


async def test_a_viewer_of_the_team_changes_nothing(site: Site) -> None:
    async with site.service.http("reader") as http:
        for path, verb, said in operations():
            url, rest = request_for(path, said, site.real)
            status, _, text = await ask(http, verb, url, rest)
            assert status < 500, (verb, path, text)
            if verb != "GET" or path.startswith("/internal/"):
                assert status >= 400 or (verb == "OPTIONS" and status == 204), (verb, path, status, text)
    await untouched(site)


async def test_a_job_s_own_token_is_good_for_that_job_alone(site: Site) -> None:
    """For its runner's calls, and for nothing that people ask; another job and one that is not there look alike."""
    async with site.service.http("eve") as eve:
        other = (await eve.get("/jobs")).json()["jobs"][0]["id"]
    foreign = {**site.real, "job": other}
    async with site.service.http(site.own_token) as http:
        for path, verb, said in operations():
            if not said or is_open_to_all(said):
                continue
            answers = []
            for values in (foreign, NOWHERE):
                url, rest = request_for(path, said, values)
                status, headers, text = await ask(http, verb, url, rest)
                assert status in (401, 403), (verb, path, status, text)
                answers.append((status, headers, without_ids(text, foreign, NOWHERE)))
            assert answers[0] == answers[1], (verb, path)
            url, rest = request_for(path, said, site.real)
            status, _, text = await ask(http, verb, url, rest)
            assert status < 500, (verb, path, text)
            assert path.startswith("/internal/") or status in (401, 403), (verb, path, status, text)


async def test_a_member_changes_nothing_of_a_colleague_s_and_an_admin_may(site: Site) -> None:
    async with site.service.http("bob") as bob, site.service.http("grace") as grace:
        for path, verb, said in operations():
            if verb == "GET" or not said or not ("{job}" in path or "{schedule}" in path):
                continue
            url, rest = request_for(path, said, site.real)
            status, _, text = await ask(bob, verb, url, rest)
            assert status in (401, 403), (verb, path, status, text)
        await untouched(site)
        assert (await grace.delete(f"/jobs/{site.own_job}")).status_code == 202
        assert (await grace.patch(f"/schedules/{site.real['schedule']}", json={"paused": True})).status_code == 200


def test_the_tables_have_what_the_description_says() -> None:
    paths = describe(PREFIX)["paths"]
    parameters = {part[1:-1] for path in paths for part in path.split("/") if part.startswith("{")}
    assert parameters == set(NOWHERE)
    bodies = {op["operationId"] for item in paths.values() for op in item.values() if "requestBody" in op}
    assert bodies == set(BODIES) | set(FILE_BODIES)
    required = {
        parameter["name"]
        for item in paths.values()
        for op in item.values()
        for parameter in op.get("parameters", [])
        if parameter["in"] == "query" and parameter["required"]
    }
    assert required == set(QUERIES)
