"""Models from a notebook: register, promote, load what was checked, roll back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli import main
from aifactory_hub.client import (
    Job,
    NotVerified,
    load_model,
    model_versions,
    models,
    name_data,
    promote,
    register,
    rollback,
    submit,
)
from aifactory_hub.client.errors import ClientError, Refused
from aifactory_hub.client.session import Account, Session
from aifactory_hub.constants import SCOPE_PLATFORM

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import RunningService, running_service
from ..support.models import damage, trained


@pytest.fixture
async def quiet(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    """A service whose jobs end when a test says so."""
    async with running_service(tmp_path / "service", hub=hub, reconciling=False) as service:
        yield service


@pytest.fixture
def nlp(quiet: RunningService) -> Iterator[Session]:
    session = Session(Account(quiet.url.rstrip("/"), "ada-token", tenant="nlp"), timeout=3.0)
    yield session
    session.close()


async def train(service: RunningService, number: int) -> str:
    files = {"model/w.safetensors": b"%d" % number, "model/sub/config.json": b"{}"}
    return await trained(service, files, who="ada-token", key=f"k{number}")


async def test_a_version_is_loaded_once_it_was_checked(quiet: RunningService, nlp: Session, tmp_path: Path) -> None:
    first, second = await train(quiet, 1), await train(quiet, 2)

    def story() -> None:
        job = Job(nlp, nlp.get(f"/jobs/{first}"))
        made = job.register("fraud", files="model/")
        assert (made.model, made.number, made.state) == ("fraud", 1, "REGISTERED")
        assert job.register("fraud", "model/").data == made.data
        register(second, "fraud", "model/", session=nlp).promote("prod", "better")
        place = load_model("fraud@prod", tmp_path / "prod", session=nlp)
        assert sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()) == [
            "sub/config.json",
            "w.safetensors",
        ]
        assert (place / "w.safetensors").read_bytes() == b"2"
        promote("fraud@1", "prod", session=nlp)
        assert rollback("fraud@prod", "it is worse", session=nlp)["alias"]["frozen"]["reason"] == "it is worse"
        assert load_model("fraud@1", tmp_path / "one", session=nlp).is_dir()
        assert [each.number for each in model_versions("fraud", session=nlp)] == [2, 1]
        assert models(session=nlp)[0]["aliases"][0]["version"] == 2

    await asyncio.to_thread(story)
    uses = quiet.context.models.registry.uses
    version = quiet.context.models.registry.of_job([second])[0]
    assert [(use.user, use.job) for use in uses([version.id])] == [("ada", "")]


async def test_a_wrong_byte_never_gets_a_path(quiet: RunningService, nlp: Session, tmp_path: Path) -> None:
    job = await train(quiet, 1)

    def story() -> None:
        register(job, "fraud", "model/", session=nlp)
        damage(quiet.context, job, "model/w.safetensors")
        with pytest.raises(NotVerified, match=r"w\.safetensors is not the one that was signed"):
            load_model("fraud@1", tmp_path / "prod", session=nlp)
        assert not list(tmp_path.glob("**/w.safetensors"))
        with pytest.raises(Refused, match=r"quarantined|does not pass"):
            promote("fraud@1", "prod", session=nlp)
        with pytest.raises(NotVerified, match="QUARANTINED"):
            load_model("fraud@1", tmp_path / "prod", session=nlp)

    await asyncio.to_thread(story)


async def test_a_folder_with_other_files_and_a_key_of_nobody_s_are_refused(
    quiet: RunningService, nlp: Session, tmp_path: Path
) -> None:
    from aifactory_hub.signing.keys import FolderCustody

    job = await train(quiet, 1)

    def story() -> None:
        register(job, "fraud", "model/", session=nlp)
        place = load_model("fraud@1", tmp_path / "prod", session=nlp)
        assert load_model("fraud@1", place, session=nlp) == place
        (place / "w.safetensors").write_bytes(b"X")
        with pytest.raises(NotVerified, match="has not the files"):
            load_model("fraud@1", place, session=nlp)
        (place / "w.safetensors").write_bytes(b"1")
        (place / ".hidden").write_bytes(b"")
        with pytest.raises(NotVerified, match=r"\.hidden"):
            load_model("fraud@1", place, session=nlp)
        strange = tmp_path / "strange.pem"
        strange.write_text(FolderCustody(tmp_path / "keys").create())
        with pytest.raises(NotVerified, match="not one of ours"):
            load_model("fraud@1", tmp_path / "other", keys=[strange], session=nlp)
        with pytest.raises(ClientError, match="write <model>@"):
            load_model("fraud", session=nlp)
        quiet.context.models.signatures.revoke(next(iter(quiet.context.models.signatures.keys())), "root", "copied")
        with pytest.raises(NotVerified, match="revoked key"):
            load_model("fraud@1", tmp_path / "other", session=nlp)

    await asyncio.to_thread(story)


async def test_data_is_named_by_what_is_in_a_folder(quiet: RunningService, nlp: Session, tmp_path: Path) -> None:
    folder = tmp_path / "claims"
    folder.mkdir()
    (folder / "a.csv").write_text("1")

    def story() -> None:
        assert name_data("claims", folder=folder, data_class="personal", session=nlp) == "claims@1"
        assert name_data("claims", folder=folder, data_class="personal", session=nlp) == "claims@1"
        (folder / "a.csv").write_text("2")
        assert name_data("claims", folder=folder, data_class="personal", session=nlp) == "claims@2"
        with pytest.raises(ValueError, match="leave digest and kind out"):
            name_data("claims", "d" * 64, folder=folder, session=nlp)
        asked: dict[str, Any] = {"profile": "mig-1g.10gb", "files": None, "session": nlp}
        job = submit("true", data=["claims@2"], **asked)
        given = quiet.context.models.datasets.of_jobs([job.id])
        assert [each.version.number for each in given] == [2]
        with pytest.raises(Refused, match="claims@9"):
            submit("true", data=["claims@9"], **asked)

    await asyncio.to_thread(story)


async def run(service: RunningService, *arguments: str, who: str = "ada") -> Result:
    environment = {"AIFACTORY_SERVICE_URL": service.url.rstrip("/"), "JUPYTERHUB_API_TOKEN": f"{who}-token"}
    return await asyncio.to_thread(CliRunner().invoke, main, ["model", *arguments], env=environment)


async def test_the_command_line_tells_the_same(quiet: RunningService, tmp_path: Path) -> None:
    for number in (1, 2):
        job = await train(quiet, number)
        made = await run(quiet, "register", "fraud", job, "--files", "model/")
        assert (made.exit_code, made.output.split()[0]) == (0, f"fraud@{number}"), made.output
    moved = await run(quiet, "promote", "fraud@1", "prod", "--reason", "first")
    assert (moved.exit_code, moved.output) == (0, "fraud@prod is version 1\n")
    assert (await run(quiet, "promote", "fraud@2", "prod")).exit_code == 0
    back = await run(quiet, "rollback", "fraud@prod", "--reason", "it is worse")
    assert (back.exit_code, back.output) == (0, "fraud@prod is version 1 (frozen)\n")
    refused = await run(quiet, "promote", "fraud@2", "prod")
    assert (refused.exit_code, "[alias-frozen]" in refused.output) == (1, True)
    assert (await run(quiet, "thaw", "fraud@prod")).output == "fraud@prod is version 1\n"
    listed = json.loads((await run(quiet, "list", "--json")).output)
    assert [(each["name"], each["versions"]) for each in listed] == [("fraud", 2)]
    assert "prod=1" in (await run(quiet, "list")).output
    assert (await run(quiet, "show", "fraud")).output.splitlines()[1].split()[:2] == ["2", "REGISTERED"]
    assert "w.safetensors" in (await run(quiet, "show", "fraud@prod")).output
    loaded = await run(quiet, "load", "fraud@prod", "--folder", str(tmp_path / "here"))
    assert loaded.output.strip() == str(tmp_path / "here")
    assert (await run(quiet, "verify", "fraud@1")).exit_code == 0
    damage(
        quiet.context,
        json.loads((await run(quiet, "show", "fraud@1", "--json")).output)["version"]["job"],
        "model/w.safetensors",
    )
    bad = await run(quiet, "verify", "fraud@1")
    assert (bad.exit_code, "files.w.safetensors" in bad.output) == (1, True)


async def test_the_command_line_names_datasets(quiet: RunningService, tmp_path: Path) -> None:
    async def said(*arguments: str) -> Result:
        environment = {"AIFACTORY_SERVICE_URL": quiet.url.rstrip("/"), "JUPYTERHUB_API_TOKEN": "ada-token"}
        return await asyncio.to_thread(CliRunner().invoke, main, ["dataset", *arguments], env=environment)

    folder = tmp_path / "claims"
    folder.mkdir()
    (folder / "a.csv").write_text("1")
    assert (await said("list")).output == "The team has no datasets: aifactory-hub dataset register\n"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert (await said("register", "claims", "--folder", str(empty))).output == f"Error: {empty} has no files\n"
    first = await said("register", "claims", "--folder", str(folder), "--class", "personal", "--uri", "s3://x/claims")
    assert (first.exit_code, first.output) == (0, "claims@1\n")
    # What is not said stays as it is.
    second = await said("register", "claims", "--digest", "e" * 32, "--kind", "dvc")
    assert (second.exit_code, second.output) == (0, "claims@2\n")
    other = await said("register", "claims", "--digest", "f" * 64, "--class", "public")
    assert (other.exit_code, "[dataset-exists]" in other.output) == (1, True)
    assert (await said("list")).output.splitlines()[1].split() == ["claims", "personal", "2", "nlp", "s3://x/claims"]
    shown = (await said("show", "claims")).output.splitlines()
    assert shown[0] == "claims  personal  s3://x/claims  by ada"
    digest = json.loads((await said("show", "claims", "--json")).output)["versions"][1]["digest"]
    assert [row.split() for row in shown[2:]] == [
        ["2", "dvc", "e" * 32, "unknown", "unknown", "ada"],
        ["1", "content", digest, "1", "1", "ada"],
    ]
    unknown = await said("show", "nothing")
    assert (unknown.exit_code, "has no dataset 'nothing'" in unknown.output) == (1, True)
    for wrong in (["claims"], ["claims", "--folder", str(folder), "--digest", "x"]):
        assert (await said("register", *wrong)).exit_code == 2


async def test_the_command_line_exports_a_lineage(quiet: RunningService, tmp_path: Path) -> None:
    await run(quiet, "register", "fraud", await train(quiet, 1), "--files", "model/")
    events = await run(quiet, "lineage", "fraud@1", "--format", "openlineage")
    assert json.loads(events.output)[0]["outputs"][0]["name"] == "models/fraud"
    target = tmp_path / "fraud.cdx.json"
    bill = await run(quiet, "lineage", "fraud@latest", "--format", "cyclonedx", "-o", str(target))
    assert (bill.output, json.loads(target.read_text())["specVersion"]) == (f"{target}\n", "1.6")
    assert (await run(quiet, "lineage", "fraud@1", "--format", "spdx")).exit_code == 2


TRAIN = 'mkdir -p model && printf %s "$WEIGHTS" > model/w.txt && printf x > model/y.txt'
USE = """python - <<'END'
from aifactory_hub.client import load_model
from aifactory_hub.client.errors import ClientError
print('weights', (load_model('fraud@prod') / 'w.txt').read_text())
try:
    load_model('other@prod')
except ClientError as error:
    print(error)
END"""


async def test_a_job_is_given_a_model_that_its_runner_has_checked(service: RunningService, session: Session) -> None:
    asked: dict[str, Any] = {"profile": "mig-1g.10gb", "files": None, "session": session}

    def story() -> None:
        job = submit(TRAIN, env={"WEIGHTS": "seven"}, **asked)
        assert job.wait(60, progress=False) == "SUCCEEDED", job.logs()
        job.register("fraud", "model/").promote("prod")
        user = submit(USE, data=["model:fraud@prod"], **asked)
        assert user.wait(60, progress=False) == "SUCCEEDED", user.logs()
        said = user.logs()
        assert "weights seven" in said
        assert 'was not given other@prod (given: fraud@1): submit it with data=["model:other@prod"]' in said
        graph = session.get("/lineage", {"of": f"job:{user.id}", "direction": "up"})
        assert "fraud@1" in [node["label"] for node in graph["nodes"]]
        again = user.retry()
        assert again.wait(60, progress=False) == "SUCCEEDED", again.logs()
        damage(service.context, job.id, "model/w.txt")
        refused = submit(USE, data=["model:fraud@prod"], **asked)
        assert refused.wait(60, progress=False) == "FAILED"
        assert "w.txt: its SHA-256 is" in (refused.refresh().reason or "")
        with pytest.raises(Refused, match=r"no such version"):
            submit(USE, data=["model:nothing@prod"], **asked)
        with pytest.raises(Refused, match=r"does not pass|quarantined"):
            promote("fraud@1", "dev", session=session)
        with pytest.raises(Refused, match="quarantined"):
            submit(USE, data=["model:fraud@prod"], **asked)

    await asyncio.to_thread(story)


async def test_an_administrator_releases_and_signs_from_the_command_line(
    quiet: RunningService, nlp: Session, hub: FakeHub
) -> None:
    hub.add("chief-token", "chief", [*scopes_for(), SCOPE_PLATFORM])
    hub.administrators.add("chief")
    job, signatures = await train(quiet, 1), quiet.context.models.signatures
    asked = ("fraud@1", "--team", "nlp", "--reason", "from the copy")

    def break_it() -> None:
        register(job, "fraud", "model/", session=nlp)
        damage(quiet.context, job, "model/w.safetensors")
        with pytest.raises(Refused):
            promote("fraud@1", "prod", session=nlp)
        damage(quiet.context, job, "model/w.safetensors")  # twice is not at all

    await asyncio.to_thread(break_it)
    refused = await run(quiet, "release", *asked)
    assert refused.exit_code == 1 and "administrators" in refused.output
    released = await run(quiet, "release", *asked, who="chief")
    assert released.exit_code == 0 and "fraud@1 is REGISTERED, signed by key" in released.output, released.output
    assert signatures.revoke(next(iter(signatures.keys())), "root", "it was copied")
    signed = await run(quiet, "sign", *asked, who="chief")
    key = next(key.id for key in signatures.keys().values() if key.revoked is None)
    assert signed.exit_code == 0 and key[:12] in signed.output, signed.output
