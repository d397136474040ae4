"""The door for Git hosts over real HTTP, and triggers as people handle them."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from aifactory_hub.domain.git_hooks import Provider
from aifactory_hub.registry.model import GitConfig, Registry
from aifactory_hub.store.trigger_tables import DeliveryRow

from ..support.deliveries import BODIES, headers_of
from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService, make_registry, running_service
from ..support.pipelines import VERSION
from ..support.repositories import Repository

HOSTS = [Provider.GITHUB, Provider.GITLAB, Provider.GITEA, Provider.BITBUCKET]
PIPELINE = f"{VERSION}steps: {{train: {{profile: mig-1g.10gb, command: 'true'}}}}"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository.at(tmp_path / "repositories")
    repository.commit({".aifactory/pipeline.yaml": PIPELINE})
    repository.push()
    return repository


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub, repository: Repository) -> AsyncIterator[RunningService]:
    git = GitConfig(hosts=("git.invalid",), folders=(str(repository.bare.parent),))

    def registry(url: str) -> Registry:
        return replace(make_registry(service=url), git=git)

    async with running_service(tmp_path / "service", hub=hub, registry=registry, reconciling=False) as service:
        yield service


async def make(service: RunningService, provider: Provider, key: str = "k", **asked: Any) -> tuple[str, str, str]:
    """A trigger: its id, its secret, and the address that its host calls."""
    request = {"key": key, "url": "https://git.invalid/team/fraud", "provider": provider.value, **asked}
    async with service.http("ada") as http:
        answer = await http.post("/tenants/nlp/triggers", json=request)
    assert answer.status_code in (200, 201), answer.text
    made = answer.json()
    return made["trigger"]["id"], made["secret"], f"{service.url}hooks/{made['trigger']['hook'].rpartition('/')[2]}"


async def call(url: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        return await http.post(url, content=body, headers=headers)


async def events(service: RunningService, trigger: str) -> Any:
    async with service.http("ada") as http:
        return (await http.get(f"/triggers/{trigger}/events")).json()


@pytest.mark.parametrize("provider", HOSTS)
async def test_a_signed_call_rings_and_is_shown(service: RunningService, provider: Provider) -> None:
    trigger, secret, url = await make(service, provider)
    service.context.triggers.stored.unreachable([trigger], "away", now=1.0, next_look=4e9)
    body = json.dumps(BODIES[provider]).encode()
    answer = await call(url, body, headers_of(provider, body, secret))
    assert (answer.status_code, answer.text) == (202, "Taken.\n")
    (seen,) = (await events(service, trigger))["deliveries"]
    assert (seen["ref"], seen["by"], seen["delivery"]) == ("refs/heads/main", "ann", "6b8b7f7e")
    due = service.context.triggers.stored.due(now=service.context.clock())
    assert [each.id for each in due] == [trigger]


@pytest.mark.parametrize("provider", HOSTS)
async def test_a_wrong_signature_and_an_unknown_address_look_alike(service: RunningService, provider: Provider) -> None:
    trigger, secret, url = await make(service, provider)
    body = json.dumps(BODIES[provider]).encode()
    wrong = await call(url, body, headers_of(provider, body, "other"))
    none = await call(url, body, {})
    nowhere = await call(f"{url[:-32]}{'0' * 32}", body, headers_of(provider, body, secret))
    odd = await call(f"{url}%00", body, headers_of(provider, body, secret))
    for answer in (wrong, none, nowhere, odd):
        assert (answer.status_code, answer.text) == (404, "There is nothing here.\n")
        assert {**answer.headers, "date": ""} == {**wrong.headers, "date": ""}
    await service.context.triggers.calls.tick()
    async with service.http("ada") as http:
        told = (await http.get(f"/triggers/{trigger}")).json()
    assert told["refused"] == 2 and told["refused_last"] is not None
    assert (await events(service, trigger))["deliveries"] == []


async def test_the_secret_before_is_good_for_a_day(service: RunningService) -> None:
    trigger, old, url = await make(service, Provider.GITEA)
    async with service.http("ada") as http:
        new = (await http.post(f"/triggers/{trigger}/rotate")).json()["secret"]
    assert new != old
    for secret in (old, new):
        assert (await call(url, b"{}", headers_of(Provider.GITEA, b"{}", secret))).status_code == 202
    stored = service.context.triggers.stored.get(trigger)
    assert stored is not None
    later = service.context.triggers.keys.good_secrets(stored, now=service.context.clock() + 90_000)
    assert later == (new,)


async def test_what_is_too_large_is_refused_to_everybody(service: RunningService) -> None:
    _, secret, url = await make(service, Provider.GITEA)
    body = b" " * (4 * 2**20 + 1)
    for address in (url, f"{url[:-32]}{'0' * 32}"):
        assert (await call(address, body, headers_of(Provider.GITEA, body, secret))).status_code == 413
    fits = body[1:]
    assert (await call(url, fits, headers_of(Provider.GITEA, fits, secret))).status_code == 202


async def test_a_body_that_is_no_json_rings_all_the_same(service: RunningService) -> None:
    trigger, secret, url = await make(service, Provider.GITEA)
    for body in (b"", b"\xff", b"[" * 100_000, b'{"ref": 1, "after": []}', b"null"):
        assert (await call(url, body, headers_of(Provider.GITEA, body, secret))).status_code == 202
    assert len((await events(service, trigger))["deliveries"]) == 5


async def test_a_trigger_that_calls_too_often_waits_and_no_other_one_does(service: RunningService) -> None:
    first, second = await make(service, Provider.GITEA, "1"), await make(service, Provider.GITEA, "2")
    answers = await asyncio.gather(
        *(call(first[2], b"{}", headers_of(Provider.GITEA, b"{}", first[1], str(n))) for n in range(160))
    )
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {202, 429} and statuses.count(202) >= 100
    assert (await call(second[2], b"{}", headers_of(Provider.GITEA, b"{}", second[1]))).status_code == 202
    await service.context.triggers.calls.tick()
    stored = service.context.triggers.stored
    assert len(stored.deliveries(first[0])) == 50
    with service.context.jobs.db.connect() as connection:
        kept = connection.execute(select(DeliveryRow.seq).where(DeliveryRow.trigger == first[0])).all()
    assert len(kept) == 50


async def test_other_verbs_say_nothing(service: RunningService) -> None:
    _, _, url = await make(service, Provider.GITEA)
    async with httpx.AsyncClient(trust_env=False) as http:
        for verb in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
            known, unknown = [await http.request(verb, u) for u in (url, f"{url[:-32]}{'0' * 32}")]
            assert known.status_code == unknown.status_code == 405
            assert known.text == unknown.text


async def test_the_door_is_fuzzed(service: RunningService) -> None:
    """Whatever comes, no answer is 5xx, and nothing but a right signature is taken."""
    trigger, secret, url = await make(service, Provider.GITEA)
    chance = random.Random(7)
    alphabet = bytes(range(256))
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        for _ in range(150):
            body = bytes(chance.choices(alphabet, k=chance.choice([0, 1, 40, 3000])))
            headers = headers_of(chance.choice(HOSTS), body, chance.choice([secret, "x"]))
            for name in list(headers):
                if chance.random() < 0.3:
                    headers[name] = "".join(chance.choices("0123456789abcdef=,. \u00e9", k=chance.choice([1, 64, 200])))
            raw: Any = {name: value.encode("latin-1").strip() for name, value in headers.items()}
            answer = await http.post(url, content=body, headers=raw)
            assert answer.status_code in (202, 404, 429), answer.status_code
    assert (await call(url, b"{}", headers_of(Provider.GITEA, b"{}", secret))).status_code in (202, 429)
    assert service.context.triggers.stored.get(trigger) is not None


async def test_replayed_doubled_and_reordered_deliveries_start_one_run(
    service: RunningService, repository: Repository
) -> None:
    local = {"url": str(repository.bare), "provider": "local", "quiet": 0.0, "key": "l"}
    async with service.http("ada") as http:
        made = (await http.post("/tenants/nlp/triggers", json=local)).json()
    trigger, parts = made["trigger"]["id"], service.context.triggers
    assert (made["secret"], made["trigger"]["hook"]) == (None, None)

    async def settle() -> None:
        parts.stored.ring([trigger], now=service.context.clock())
        for _ in range(2):
            await parts.tick()
            await parts.watcher.settle()
        await parts.run_maker.tick()

    await settle()
    repository.commit({"a": "1"})
    repository.push()
    for _ in range(10):
        await settle()
    async with service.http("ada") as http:
        (run,) = (await http.get("/tenants/nlp/pipeline-runs", params={"trigger": trigger})).json()["runs"]
    (event,) = (await events(service, trigger))["events"]
    assert (event["run"], event["state"], event["commit"]) == (run["id"], "STARTED", repository.head())
    assert run["cause"]["repository"] == str(repository.bare)


async def test_a_trigger_is_tried_changed_and_removed(service: RunningService, repository: Repository) -> None:
    local = {"url": str(repository.bare), "provider": "local", "key": "l"}
    async with service.http("ada") as ada, service.http("bob") as bob, service.http("grace") as grace:
        trigger = (await ada.post("/tenants/nlp/triggers", json=local)).json()["trigger"]["id"]
        tried = (await ada.post(f"/triggers/{trigger}/test", json={"ref": "main"})).json()
        assert (tried["refused"], tried["commit"]) == (None, repository.head())
        assert [step["accepted"] for step in tried["check"]["steps"]] == [True]
        gone = await ada.post(f"/triggers/{trigger}/test", json={"ref": "nope"})
        assert (gone.status_code, gone.json()["field"]) == (400, "ref")
        assert (await bob.patch(f"/triggers/{trigger}", json={"paused": True})).status_code == 403
        assert (await grace.patch(f"/triggers/{trigger}", json={"paused": True})).json()["paused"] is True
        assert [t["id"] for t in (await bob.get("/tenants/nlp/triggers")).json()["triggers"]] == [trigger]
        assert (await ada.delete(f"/triggers/{trigger}")).status_code == 200
        assert (await ada.get(f"/triggers/{trigger}")).status_code == 404


async def test_a_token_is_kept_in_a_file_of_the_service_s_alone_and_never_told(
    service: RunningService, tmp_path: Path
) -> None:
    trigger, _, _ = await make(service, Provider.GITEA, token="s3cret-token", username="bot")
    (file,) = (tmp_path / "service" / "files" / "credentials").iterdir()
    assert (file.name, file.stat().st_mode & 0o777, file.read_text()) == (f"{trigger}.secret", 0o600, "s3cret-token")
    async with service.http("ada") as http:
        told = (await http.get("/tenants/nlp/triggers")).text
        assert "s3cret" not in told and '"signs_in": true' in told
        assert (await http.delete(f"/triggers/{trigger}")).status_code == 200
    assert not file.exists()
    database = (tmp_path / "service" / "service.sqlite").read_bytes()
    assert b"s3cret" not in database
