"""Every route and verb of the OpenAPI with every kind of token, against objects of another team and ones that are not.

Nothing of team nlp's reaches anybody else, "not yours" and "not there" look alike, and nothing answers 5xx. A new route
is covered by itself: one that has a parameter or a body that is not in the tables here fails the test.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from aifactory_hub import constants
from aifactory_hub.domain.approvals import Approval, Reason
from aifactory_hub.domain.datasets import DataClass, Dataset
from aifactory_hub.domain.models import MoveKind
from aifactory_hub.domain.notifications import Choice
from aifactory_hub.domain.team_wishes import RequestState, TeamRequest, TeamWish, WishKind
from aifactory_hub.domain.usage import FactKind, Possession, Source, UsageFact
from aifactory_hub.domain.verdicts import Need
from aifactory_hub.engines.serving.memory import MemoryServing
from aifactory_hub.registry.model import GitConfig, Registry
from aifactory_hub.service.api.app import describe
from aifactory_hub.service.approvals import Desk
from aifactory_hub.service.models.aliases import Moved, MoveWish
from aifactory_hub.service.pipelines.starter import run_id
from aifactory_hub.store import Artifact
from aifactory_hub.store.statements import read_chain

from ..policy.rules import rule
from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import PREFIX, RunningService, make_registry, running_service
from ..support.models import plant
from ..support.rules import site_rules
from ..support.uploads import manifest_of, pack_of, send_files, sha256

MARK = "MARKER-OF-NLP"
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
FILES = {"secret.txt": MARK.encode()}
JOB = {"command": f"echo {MARK}", "profile": "mig-1g.10gb", "name": MARK, "environment": {"A": MARK}}
PIPELINE = (
    f"{{apiVersion: aifactory-hub.io/pipeline/v1, name: {MARK}, steps: {{a: {{profile: mig-1g.10gb, "
    f"command: echo {MARK}, environment: {{A: {MARK}}}}}}}}}"
)
NOWHERE = {
    "job": "j0123456789ab",
    "schedule": "s0123456789ab",
    "tenant": "nowhere",
    "sha256": "0" * 64,
    "name": "nothing.txt",
    "pod": "11111111-nothing",
    "month": "2019-01",
    "approval": "a0123456789ab",
    "rule": "nowhere",
    "model": "nothing",
    "version": "7",
    "alias": "nowhere",
    "dataset": "nothing",
    "key": "0" * 64,
    "run": "p0123456789abcdef",
    "trigger": "t0123456789ab",
    "secret": "NOTHING",
    "deployment": "nothing",
    "release": "e0123456789abcdef",
    "request": "r0123456789ab",
    "label": "nothing",
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
    "reportActivity": {"server": "", "kind": "lab", "busy": False, "last_used": "2026-01-01T00:00:00Z"},
    "keepServer": {"server": ""},
    "correctHold": {"void": True, "reason": "evil"},
    "voteOnApproval": {"vote": "yes", "digest": "0" * 64},
    "overrideRule": {"verdict": "v0123456789ab", "rule": "rule-of-nlp", "reason": "evil", "until": 2000000000},
    "registerModel": {"job": "j0123456789ab"},
    "promoteModel": {"version": "1", "reason": "evil"},
    "rollBackModel": {"version": "1", "reason": "evil"},
    "freezeAlias": {"reason": "evil"},
    "thawAlias": {"reason": "evil"},
    "revokeModelKey": {"reason": "evil"},
    "releaseModelVersion": {"reason": "evil"},
    "signModelVersion": {"reason": "evil"},
    "makeDataset": {"name": "evil"},
    "makeDatasetVersion": {"kind": "content", "digest": "0" * 64},
    "checkPipeline": {"pipeline": PIPELINE},
    "startPipelineRun": {"pipeline": PIPELINE, "key": "matrix"},
    "retryPipelineRun": {"key": "matrix-retry"},
    "makeTrigger": {"key": "matrix", "url": "https://git.example.org/a", "provider": "gitea"},
    "changeTrigger": {"paused": True},
    "testTrigger": {"ref": "main"},
    "grantBudget": {"budget": "month", "amount": "5", "until": 2000000000, "reason": "evil"},
    "putSecret": {"value": "evil-value"},
    "chooseNotifications": {"level": "off"},
    "deployModel": {"model": f"{MARK.lower()}@prod", "profile": "mig-1g.10gb"},
    "rollBackDeployment": {"reason": "evil"},
    "askDeployment": {"inputs": [{"name": "x", "datatype": "INT64", "shape": [1], "data": [1]}]},
    "reportReleaseProblem": {"problem": "evil"},
    "askForTeam": {"name": "evil", "template": "evil", "members": ["evil"], "reason": "evil"},
    "checkTeamRequest": {"name": "evil", "template": "evil", "members": ["evil"], "reason": "evil"},
    "reportTeams": {"teams": {"nlp": {"stage": "ready", "since": 1.0, "sentence": "evil"}}},
}
FILE_BODIES = {
    "uploadPack": pack_of(FILES),
    "uploadManifest": manifest_of(FILES),
    "putLog": b"evil",
    "putLogPiece": b"evil",
    "putArtifact": b"evil",
    "queryTeamByForm": b"query=up",
    "queryTeamRangeByForm": b"query=up&start=0&end=60&step=30",
    "listTeamSeriesByForm": b"match[]=up",
    "listTeamLabelsByForm": b"match[]=up",
}
# Whose body names the team that it acts in.
NAMES_TENANT = {"makeDataset", "submitJob", "dryRunJob", "makeSchedule", "findMissingFiles"}
QUERIES = {"of": f"model:{MARK.lower()}@prod", "offset": "0", "cron": "0 5 * * *", "user": "ada"}
QUERIES["before"] = run_id("nlp", "ada", "p")
QUERIES |= {"query": "up", "start": "0", "end": "60", "step": "30"}  # of a question to Prometheus
# Parameters that name no object and no team.
OF_NOTHING = {"cron", "time_zone", "count", "month"}
# What has an owner within its team.
OWNED = ("{job}", "{schedule}", "{run}", "{trigger}")
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
    own = rule(id="rule-of-nlp", title=MARK, scope={"teams": ["nlp"]}, severity="advisory")
    gates = site_rules(tmp_path / "rules", own, clock=time.time)

    def registry(url: str) -> Registry:
        return replace(make_registry(service=url), git=GitConfig(hosts=("git.example.org",)))

    serving = MemoryServing()
    async with running_service(
        tmp_path, hub=hub, registry=registry, reconciling=False, gates=gates, serving=serving
    ) as service:
        async with service.http("ada") as ada, service.http("eve") as eve:
            files = await send_files(ada, FILES)
            notify = ["https://hooks.example.org/" + MARK]
            asked = {**JOB, "key": "k", "files": files, "notify": notify, "provenance": {"branch": MARK}}
            job_id = (await ada.post("/jobs", json=asked)).json()["id"]
            other = (await eve.post("/jobs", json={**JOB, "key": "k", "name": "of vision", "command": "true"})).json()
            made = await ada.post("/schedules", json={"key": "s", "cron": "0 5 * * *", "job": {**JOB}})
            asked = {"key": "p", "pipeline": PIPELINE}
            run = (await ada.post("/tenants/nlp/pipeline-runs", json=asked)).json()["id"]
            asked = {"key": "t", "url": f"https://git.example.org/{MARK}", "provider": "gitea", "name": MARK}
            trigger = (await ada.post("/tenants/nlp/triggers", json=asked)).json()["trigger"]["id"]
            secret = MARK.upper().replace("-", "_")
            await ada.put(f"/tenants/nlp/secrets/{secret}", json={"value": MARK})
        await service.reconciler.settle()
        digest = sha256(pack_of(FILES))
        fill(service, job_id)
        await keep_model(service, job_id)
        specs = {spec.run_id: spec.secret_files["token"] for spec in service.engine.created}
        real = {
            "job": job_id,
            "schedule": made.json()["id"],
            "tenant": "nlp",
            "sha256": digest,
            "name": f"{MARK}.txt",
            "pod": "22222222-of-nlp",
            "month": "2019-02",
            "approval": approval_of_nlp(service),
            "rule": "rule-of-nlp",
            "model": MARK.lower(),
            "version": "1",
            "alias": "prod",
            "dataset": MARK.lower(),
            "key": next(iter(service.context.models.signatures.keys())),
            "run": run,
            "trigger": trigger,
            "secret": MARK.upper().replace("-", "_"),
            "deployment": MARK.lower(),
            "release": await deployed(service),
            "request": request_of_nlp(service),
            "label": "tenant",
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


def approval_of_nlp(service: RunningService) -> str:
    """An approval that waits for the team's administrators."""
    desk = service.context.approvals
    assert isinstance(desk, Desk)
    needs, reasons = (Need("admin"),), (Reason(MARK, MARK),)
    told = (MARK, "0" * 64, {"command": MARK}, needs, reasons, "ada", (), 1.0, 9e9)
    return desk.store.open(Approval("aaaaaaaaaaaaa", "nlp", "job", MARK, "submit", *told)).id


def request_of_nlp(service: RunningService) -> str:
    """A request of ada's for more time for nlp, that waits."""
    wish = TeamWish("nlp", reason=MARK, kind=WishKind.RENEWAL)
    request = TeamRequest("r" + "b" * 12, wish, "0" * 64, "ada", 1.0, 1.0)
    assert service.context.team_desk.store.add(request, MARK)
    return request.id


def hold_of_nlp(pod: str) -> UsageFact:
    """A pod of ada's that goes on since January 2019."""
    whose = Possession("nlp", "ada", MARK, "job", MARK, MARK, MARK, {MARK: 1})
    return UsageFact.exact(pod, FactKind.BOUND, Source.WATCH, 1_546_500_000, 1_546_500_000, possession=whose, note=MARK)


async def keep_model(service: RunningService, job_id: str) -> None:
    """A model of nlp's with an alias."""
    context = service.context
    version = plant(context, job_id, MARK.lower(), {f"{MARK}.txt": MARK.encode()})
    facts = context.models.registry.find("nlp", MARK.lower())
    assert facts is not None
    whose = (DataClass.SECRET, MARK, 1.0, "ada")
    context.models.datasets.add(Dataset("d1", "nlp", MARK.lower(), MARK, *whose))
    wish = MoveWish(facts, "prod", MoveKind.PROMOTE, version, "ada", MARK)
    assert isinstance(await context.models.aliases.lead(wish, context.approvals), Moved)


async def deployed(service: RunningService) -> str:
    """The id of a release of a deployment of nlp's that waits for its turn."""
    async with service.http("ada") as ada:
        body = {"model": f"{MARK.lower()}@prod", "profile": "mig-1g.10gb"}
        made = await ada.put(f"/tenants/nlp/deployments/{MARK.lower()}", json=body)
        assert made.status_code == 201, made.text
    stored = service.context.deployments.stored
    found = stored.find("nlp", MARK.lower())
    assert found is not None
    await service.context.deployments.tick()
    [release] = stored.releases([found.id])[found.id]
    return release.id


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


Answer = tuple[int, dict[str, str], str]


async def ask(http: httpx.AsyncClient, verb: str, url: str, rest: Mapping[str, Any]) -> Answer:
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


def alike(site: Site, real: Answer, other: Answer) -> bool:
    """Whether two answers tell the same but for the ids that were asked for."""
    ids = (site.real, NOWHERE)
    return (real[:2], without_ids(real[2], *ids)) == (other[:2], without_ids(other[2], *ids))


async def pair(
    site: Site, http: httpx.AsyncClient, verb: str, path: str, said: Mapping[str, Any]
) -> tuple[Answer, Answer]:
    """The answers about what is there and about what is nowhere.

    Some answers to GET name the second they were made in. Two that differ are asked for again, so
    that a second that ends between them is not taken for a difference.
    """
    answers: list[Answer] = []
    for _ in range(3 if verb == "GET" else 1):
        answers = []
        for values in (site.real, NOWHERE):
            url, rest = request_for(path, said, values)
            answers.append(await ask(http, verb, url, rest))
            site.asked += 1
        if alike(site, *answers):
            break
    return answers[0], answers[1]


async def test_nobody_of_another_team_gets_at_anything(site: Site) -> None:
    for who, token in site.tokens.items():
        async with site.service.http(token) as http:
            for path, verb, said in operations():
                where = f"{verb} {path} as {who}"
                (status, headers, text), other = await pair(site, http, verb, path, said)
                marked = without_ids(text, {"name": site.real["name"]})
                if MARK in marked or any(MARK in value for value in headers.values()):
                    site.wrong.append(f"{where}: {status} tells {text[:200]}")
                if status >= 500 or other[0] >= 500:
                    site.wrong.append(f"{where}: {status}, {other[0]}")
                if status < 300 and not is_open_to_all(said) and not own_answer(path, verb, said):
                    site.wrong.append(f"{where}: {status} {text[:200]}")
                if not alike(site, (status, headers, text), other) and not is_open_to_all(said):
                    site.wrong.append(f"{where}: {(status, headers, text)} is not {other}")
    assert site.wrong == []
    assert site.asked >= 2 * len(site.tokens) * len(VERBS) * len(describe(PREFIX)["paths"])
    await untouched(site)


def own_answer(path: str, verb: str, said: Mapping[str, Any]) -> bool:
    """What says the same to every member of any team: it names no object and no team."""
    if (verb, path) == ("GET", "/teams/requests"):
        return True  # the caller's own requests; that there are none of others is looked at above
    if (verb, path) == ("PUT", "/notifications"):
        return True  # the caller's own choice; that ada's stays is looked at in the end
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
        run = (await ada.get(f"/pipeline-runs/{site.real['run']}")).json()
        runs = (await ada.get("/tenants/nlp/pipeline-runs")).json()["runs"]
        trigger = (await ada.get(f"/triggers/{site.real['trigger']}")).json()
        secrets = (await ada.get("/tenants/nlp/secrets")).json()["secrets"]
    assert (job["cancel_asked"], job["progress"], job["name"]) == (False, None, MARK)
    assert (schedule["paused"], len(listed), log) == (False, 1, MARK)
    assert (trigger["paused"], trigger["name"]) == (False, MARK)
    assert [(each["name"], each["revision"]) for each in secrets] == [(site.real["secret"], 1)]
    assert (run["state"], run["cancel_asked"], run["name"], len(runs)) == ("RUNNING", False, MARK, 1)
    assert site.service.context.budgets.book.grants("nlp") == ()
    assert site.service.context.notifications.choice("ada") == Choice()
    (request,) = site.service.context.team_desk.store.newest(limit=10)
    assert (request.state, request.wish.reason) == (RequestState.WAITING, MARK)
    assert site.service.context.team_desk.states == {}
    assert (site.service.context.ledger.head(), site.service.context.billing.closed()) == (1, {})
    assert read_chain(site.service.context.jobs.db).statements == 4  # its key, files, provenance and promotion


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
            if verb == "GET" or not said or not any(each in path for each in OWNED):
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
