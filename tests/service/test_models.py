"""Models over real HTTP: registered, looked at, promoted, rolled back."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import pytest

from aifactory_hub.constants import SCOPE_PLATFORM
from aifactory_hub.domain.verdicts import Finding, Need, Question, Severity, Target, Verb, Verdict
from aifactory_hub.signing.dsse import envelope_of
from aifactory_hub.signing.keys import check, trusted
from aifactory_hub.signing.oms import envelope_in, files_of
from aifactory_hub.store.statements import read_chain

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import RunningService
from ..support.models import damage, give_back, trained


async def register(http: httpx.AsyncClient, job: str, model: str = "fraud", **asked: Any) -> dict[str, Any]:
    answer = await http.post(f"/models/{model}/versions", json={"job": job, "files": "model/", **asked})
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


async def promote(http: httpx.AsyncClient, version: int, alias: str = "prod", **asked: Any) -> httpx.Response:
    return await http.post(f"/models/fraud/aliases/{alias}/promote", json={"version": str(version), **asked})


async def roll_back(http: httpx.AsyncClient, **asked: Any) -> httpx.Response:
    return await http.post("/models/fraud/aliases/prod/rollback", json={"reason": "it is worse", **asked})


async def test_a_version_refers_to_what_the_job_gave_back(service: RunningService) -> None:
    job = await trained(service)
    async with service.http("ada") as http:
        answer = await http.post("/models/fraud/versions", json={"job": job, "files": "model/"})
        made = answer.json()
        assert (answer.status_code, made["version"], made["files"], made["job"]) == (201, 1, 2, job)
        assert (made["formats"], made["runs_code"]) == ({"json": 1, "safetensors": 1}, [])
        again = await http.post("/models/fraud/versions", json={"job": job, "files": "./model"})
        assert (again.status_code, again.json()) == (200, made)
        detail = (await http.get("/models/fraud/versions/1")).json()
        assert [file["name"] for file in detail["files"]] == ["config.json", "weights.safetensors"]
        content = await http.get("/models/fraud/versions/latest/files/weights.safetensors")
        assert content.content == b"weights"
        assert content.headers["X-Content-SHA256"] == hashlib.sha256(b"weights").hexdigest()
        keys = trusted(key["public"] for key in (await http.get("/model-keys")).json()["keys"])
    envelope = envelope_in(detail["bundle"])
    assert check(envelope, keys).problem is None
    assert [file.name for file in files_of(envelope.statement()).files] == ["config.json", "weights.safetensors"]
    (about,) = envelope.statement()["subject"]
    assert about["name"] == "nlp/fraud"
    kinds = [(each["kind"], check(envelope_of(each["envelope"]), keys).problem) for each in detail["statements"]]
    assert kinds == [("files", None), ("provenance", None)]


async def test_provenance_is_the_service_s_own_and_what_others_say_is_apart(service: RunningService) -> None:
    commit = "a" * 40
    told = {"commit": commit, "dirty": True, "packages": ["numpy==2"]}
    job = await trained(service, provenance=told, environment={"SECRET": "value"})
    async with service.http("ada") as http:
        await register(http, job)
        detail = (await http.get("/models/fraud/versions/1")).json()
    made = detail["provenance"]
    asked = made["buildDefinition"]["externalParameters"]
    assert (asked["command"], asked["environment"]) == ("python train.py", ["SECRET"])
    assert made["runDetails"]["metadata"]["invocationId"] == f"{job}/1"
    known = {each["name"].partition(":")[0]: each for each in made["buildDefinition"]["resolvedDependencies"]}
    assert known["commit"]["annotations"] == {"known": "declared", "dirty": True}
    assert known["commit"]["digest"] == {"gitCommit": commit}
    assert known["image"]["annotations"]["known"] == "missing"
    assert made["claimedByJob"]["packages"] == ["numpy==2"]
    (device,) = made["buildDefinition"]["internalParameters"]["devices"]
    assert (device["resource"], device["count"]) == ("nvidia.com/mig-1g.10gb", 1)
    assert "value" not in str(detail)


@pytest.mark.parametrize(
    ("asked", "status", "reason", "field"),
    [
        ({"files": "nothing/"}, 400, "bad-field", "files"),
        ({"files": "mod"}, 400, "bad-field", "files"),
        ({"job": "j000000000000"}, 404, "unknown-job", "id"),
        ({"colour": "red"}, 400, "bad-field", "colour"),
    ],
)
async def test_what_can_t_be_registered_is_named(
    service: RunningService, asked: dict[str, Any], status: int, reason: str, field: str
) -> None:
    job = await trained(service)
    async with service.http("ada") as http:
        answer = await http.post("/models/fraud/versions", json={"job": job, "files": "model/", **asked})
        assert (answer.status_code, answer.json()["reason"], answer.json()["field"]) == (status, reason, field)
        assert (await http.get("/models")).json()["models"] == []


async def test_only_a_job_that_succeeded_and_only_one_s_own_team_s(service: RunningService) -> None:
    foreign = await trained(service, who="eve")
    async with service.http("ada") as http:
        body = {"command": "true", "profile": "mig-1g.10gb", "key": "goes-on"}
        going = (await http.post("/jobs", json=body)).json()["id"]
        answer = await http.post("/models/fraud/versions", json={"job": going})
        assert (answer.status_code, answer.json()["reason"]) == (409, "not-registrable")
        answer = await http.post("/models/fraud/versions", json={"job": foreign})
        assert (answer.status_code, answer.json()["reason"]) == (404, "unknown-job")
        bad = await http.post("/models/Fraud!/versions", json={"job": going})
        assert (bad.status_code, bad.json()["field"]) == (400, "model")
    async with service.http("eve") as http:
        await register(http, foreign)
    async with service.http("ada") as http:
        assert (await http.get("/models/fraud")).status_code == 404
        assert (await http.get("/models/fraud", params={"tenant": "vision"})).status_code == 403
        assert (await http.get("/models")).json()["models"] == []


async def test_promote_and_roll_back_step_by_step(service: RunningService) -> None:
    async with service.http("ada") as http:
        for number in (1, 2, 3):
            job = await trained(service, {"model/w.safetensors": b"%d" % number}, key=f"k{number}")
            await register(http, job)
            moved = (await promote(http, number, reason="better")).json()
            assert (moved["alias"]["version"], moved["held"]) == (number, False)
        again = (await promote(http, 3)).json()
        assert (again["move"], again["alias"]["version"]) == (None, 3)
        back = await roll_back(http)
        assert back.json()["alias"] | {"since": None, "frozen": None} == {
            "name": "prod",
            "version": 2,
            "since": None,
            "frozen": None,
            "back": 1,
        }
        assert back.json()["alias"]["frozen"]["reason"] == "it is worse"
        refused = await promote(http, 3)
        assert (refused.status_code, refused.json()["reason"]) == (409, "alias-frozen")
        assert (await roll_back(http)).json()["alias"]["version"] == 1
        assert (await roll_back(http)).json()["reason"] == "never-held"
        assert (await http.post("/models/fraud/aliases/prod/thaw", json={})).json()["alias"]["frozen"] is None
        assert (await promote(http, 3)).json()["alias"]["version"] == 3
        content = await http.get("/models/fraud/versions/prod/files/w.safetensors")
        assert content.content == b"3"
        history = (await http.get("/models/fraud/aliases/prod")).json()
    kinds = [(move["kind"], move["before"], move["after"]) for move in reversed(history["moves"])]
    assert kinds == [
        ("promote", None, 1),
        ("promote", 1, 2),
        ("promote", 2, 3),
        ("rollback", 3, 2),
        ("rollback", 2, 1),
        ("thaw", 1, 1),
        ("promote", 1, 3),
    ]
    assert read_chain(service.context.jobs.db).problem is None


async def test_rollback_wants_a_reason_and_a_version_that_was_there(service: RunningService) -> None:
    async with service.http("ada") as http:
        for number in (1, 2):
            job = await trained(service, {"model/w.safetensors": b"%d" % number}, key=f"k{number}")
            await register(http, job)
        assert (await promote(http, 1)).status_code == 200
        assert (await roll_back(http, version="2")).json()["reason"] == "never-held"
        assert (await roll_back(http, version="1")).json()["reason"] == "never-held"
        assert (await roll_back(http, version="9")).status_code == 404
        assert (await roll_back(http, reason="")).json()["field"] == "reason"
        assert (await roll_back(http)).json()["reason"] == "never-held"


async def test_one_wrong_byte_is_named_quarantined_and_never_served(service: RunningService) -> None:
    job = await trained(service, notify=["https://hooks.example.org/x"])
    async with service.http("ada") as http:
        await register(http, job)
        damage(service.context, job, "model/weights.safetensors")
        refused = await promote(http, 1)
        assert (refused.status_code, refused.json()["reason"]) == (409, "not-verified")
        assert refused.json()["field"] == "files.weights.safetensors"
        version = (await http.get("/models/fraud/versions/1")).json()["version"]
        assert version["state"] == "QUARANTINED"
        content = await http.get("/models/fraud/versions/1/files/config.json")
        assert (content.status_code, content.json()["reason"]) == (409, "quarantined")
        assert (await promote(http, 1)).json()["reason"] == "quarantined"
        messages = (await http.get(f"/jobs/{job}/messages")).json()["messages"]
    assert [each["event"] for each in messages] == ["model.quarantined"]
    assert read_chain(service.context.jobs.db).statements == 4  # the key, files, provenance, the quarantine


async def test_a_file_that_is_gone_is_named(service: RunningService) -> None:
    job = await trained(service)
    async with service.http("ada") as http:
        await register(http, job)
        service.context.files.delete([service.context.files.artifact(job, "model/config.json")])
        looked = (await http.post("/models/fraud/versions/1/verify")).json()
    assert (looked["ok"], looked["troubles"][0]["field"]) == (False, "files.config.json")
    assert looked["version"]["state"] == "QUARANTINED"


async def test_what_can_t_be_read_is_not_a_no(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    from aifactory_hub.store import BlobsUnavailable

    job = await trained(service)
    async with service.http("ada") as http:
        await register(http, job)

        def away(*_: Any) -> Any:
            raise BlobsUnavailable("it is away")

        with monkeypatch.context() as broken:
            broken.setattr(service.context.files, "open", away)
            assert (await promote(http, 1)).status_code == 503
        assert (await http.get("/models/fraud/aliases/prod")).status_code == 404
        assert (await promote(http, 1)).status_code == 200


async def test_rows_that_were_changed_are_found(service: RunningService) -> None:
    from sqlalchemy import text

    job = await trained(service)
    async with service.http("ada") as http:
        await register(http, job)
        with service.context.jobs.db.begin() as connection:
            connection.execute(text("UPDATE jobs SET command = 'python evil.py'"))
        refused = await promote(http, 1)
    assert refused.json()["field"] == "provenance.buildDefinition.externalParameters.command"
    with pytest.raises(Exception, match="stays as it is"), service.context.jobs.db.begin() as connection:
        connection.execute(text("UPDATE model_versions SET digest = ''"))
    with pytest.raises(Exception, match="stays as it is"), service.context.jobs.db.begin() as connection:
        connection.execute(text("DELETE FROM statements"))


async def test_a_revoked_key_s_word_is_not_taken(service: RunningService) -> None:
    job = await trained(service)
    signatures = service.context.models.signatures
    async with service.http("ada") as http:
        await register(http, job)
        first = next(iter(signatures.keys()))
        signatures.rotate("root")
        assert (await promote(http, 1)).status_code == 200  # put out of use, and what it signed stays good
        assert signatures.revoke(first, "root", "it was copied")
        refused = await promote(http, 1, alias="staging")
        assert (refused.status_code, refused.json()["field"]) == (409, "signature.files")
        assert "revoked" in refused.json()["detail"]
    assert not signatures.revoke(first, "root", "again")


@pytest.fixture(autouse=True)
def chief(hub: FakeHub) -> None:
    """An administrator of the hub, in no team."""
    hub.add("chief", "chief", [*scopes_for(), SCOPE_PLATFORM])
    hub.administrators.add("chief")


async def restore(http: httpx.AsyncClient, how: str) -> httpx.Response:
    return await http.post(f"/models/fraud/versions/1/{how}?tenant=nlp", json={"reason": "from the copy"})


async def test_an_administrator_releases_a_version_whose_bytes_are_back(service: RunningService) -> None:
    job = await trained(service)
    async with service.http("ada") as http, service.http("chief") as admin:
        await register(http, job)
        damage(service.context, job, "model/weights.safetensors")
        assert (await promote(http, 1)).json()["reason"] == "not-verified"
        refused = await restore(admin, "release")
        assert (refused.status_code, refused.json()["field"]) == (409, "files.weights.safetensors")
        damage(service.context, job, "model/weights.safetensors")  # twice is not at all
        assert (await restore(http, "release")).status_code == 403
        assert (await promote(http, 1)).json()["reason"] == "quarantined"
        released = await restore(admin, "release")
        assert (released.status_code, released.json()["version"]["state"]) == (200, "REGISTERED"), released.text
        assert (await restore(admin, "release")).status_code == 200  # again, nothing happens
        assert (await promote(http, 1)).status_code == 200
    # The key, files, provenance, the quarantine, the release, the promotion.
    assert read_chain(service.context.jobs.db).statements == 6


async def test_an_administrator_signs_anew_what_a_revoked_key_has_signed(service: RunningService) -> None:
    job = await trained(service)
    signatures = service.context.models.signatures
    async with service.http("ada") as http, service.http("chief") as admin:
        await register(http, job)
        assert (await restore(admin, "sign")).json()["ok"] is True
        assert read_chain(service.context.jobs.db).statements == 3  # nothing was wrong, and nothing was signed
        assert signatures.revoke(next(iter(signatures.keys())), "root", "it was copied")
        assert (await promote(http, 1)).status_code == 409
        signed = await restore(admin, "sign")
        assert (signed.status_code, signed.json()["ok"]) == (200, True), signed.text
        known = signatures.keys()
        assert signed.json()["key"] in known
        assert (await promote(http, 1)).status_code == 200
        assert signatures.revoke(signed.json()["key"], "root", "again")
        damage(service.context, job, "model/weights.safetensors")
        refused = await restore(admin, "sign")
        assert (refused.status_code, refused.json()["field"]) == (409, "files.weights.safetensors")
        assert (await restore(http, "sign")).status_code == 403
        nobody = await admin.post("/models/fraud/versions/1/sign", json={"reason": "which?"})
        assert (nobody.status_code, nobody.json()["field"]) == (400, "tenant")


class Rules:
    """Gates that say what a test wants, and keep what they were asked."""

    bundle = "b" * 64

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.asked: list[Question] = []

    def about(self, target: Target) -> bool:
        return target is Target.MODEL

    def review(self, question: Question) -> Verdict:
        self.asked.append(question)
        return self.verdict if question.target is Target.MODEL else Verdict()


class Desk:
    """Approvals that somebody grants."""

    def __init__(self) -> None:
        self.granted_id: str | None = None
        self.excluded: list[set[str]] = []

    async def granted(self, question: Question, needs: Any, *, excluded: Any = (), findings: Any = ()) -> str | None:
        self.excluded.append(set(excluded))
        return self.granted_id


async def test_rules_and_approvals_are_asked_about_this_digest(service: RunningService) -> None:
    job = await trained(service)
    needs = Finding("r1", Severity.SOFT, "two people look at prod", needs=(Need("admin", 1),))
    rules, desk = Rules(Verdict("b" * 64)), Desk()
    object.__setattr__(service.context, "gates", rules)
    object.__setattr__(service.context, "approvals", desk)
    service.context.models.aliases._gates = rules
    object.__setattr__(service.context.models.registration, "gates", rules)
    async with service.http("ada") as http:
        made = await register(http, job)
        rules.verdict = Verdict("b" * 64, (needs,))
        held = await promote(http, 1)
        assert (held.status_code, held.json()["held"], held.json()["needs"]) == (
            202,
            True,
            [{"role": "admin", "count": 1}],
        )
        assert held.json()["alias"]["version"] is None
        desk.granted_id = "a1"
        moved = (await promote(http, 1)).json()
        assert (moved["move"]["approval"], moved["alias"]["version"]) == ("a1", 1)
        rules.verdict = Verdict("b" * 64, (Finding("r2", Severity.HARD, "no pickles in prod"),))
        refused = await promote(http, 1, alias="staging")
        assert (refused.status_code, refused.json()["reason"]) == (403, "policy")
    registered, promoted = rules.asked[0], rules.asked[-1]
    assert (registered.verb, promoted.verb) == (Verb.REGISTER, Verb.PROMOTE)
    assert promoted.digest == made["digest"] == registered.digest
    assert promoted.subject == f"{made['id']}@staging"
    assert (promoted.view["verb"], promoted.view["user"]) == ("promote", {"name": "ada", "role": "member"})
    assert promoted.view["model"]["job"]["id"] == job
    assert promoted.view["model"]["formats"] == ["json", "safetensors"]
    assert desk.excluded[0] == {"ada"}


async def test_two_promotions_at_once_both_are_told_the_truth(service: RunningService) -> None:
    import asyncio

    async with service.http("ada") as http:
        for number in (1, 2):
            job = await trained(service, {"model/w.safetensors": b"%d" % number}, key=f"k{number}")
            await register(http, job)
        answers = await asyncio.gather(promote(http, 1), promote(http, 2))
        statuses = sorted(answer.status_code for answer in answers)
        now = (await http.get("/models/fraud/aliases/prod")).json()
    assert statuses in ([200, 200], [200, 409])
    last = now["moves"][0]
    assert now["alias"]["version"] == last["after"]
    before = [move["before"] for move in reversed(now["moves"])]
    assert before == [None, *[move["after"] for move in reversed(now["moves"])]][: len(before)]


async def test_files_that_models_refer_to_outlive_their_job_s(service: RunningService) -> None:
    job = await trained(service)
    async with service.http("ada") as http:
        await register(http, job)
        dropped = await http.delete(f"/jobs/{job}/artifacts")
        assert dropped.status_code == 200
        files = service.context.files
        assert files.size(files.artifact(job, "report.txt")) is None
        looked = (await http.post("/models/fraud/versions/1/verify")).json()
        assert looked["ok"], looked
        late = await http.post("/models/fraud/versions", json={"job": job})
        assert (late.status_code, late.json()["reason"]) == (409, "not-registrable")


async def test_a_pickle_is_one_whatever_it_is_called(service: RunningService) -> None:
    job = await trained(service, {"model/w.safetensors": b"\x80\x04K\x01.", "model/a.json": b"{}"})
    async with service.http("ada") as http:
        made = await register(http, job)
    assert (made["formats"], made["runs_code"]) == ({"json": 1, "pickle": 1}, ["w.safetensors"])


async def test_files_that_are_half_there_are_not_registered(service: RunningService) -> None:
    job = await trained(service)
    files = service.context.files
    files.delete([files.artifact(job, "model/config.json")])
    async with service.http("ada") as http:
        answer = await http.post("/models/fraud/versions", json={"job": job, "files": "model/"})
        assert (answer.status_code, answer.json()["reason"]) == (409, "not-registrable")
    give_back(service.context, job, {"model/config.json": b"{}"})
