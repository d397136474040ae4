"""What came from what, and the evidence of it, over real HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from aifactory_hub.signing.evidence import BadEvidence, check_evidence
from aifactory_hub.signing.keys import trusted

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import RunningService
from ..support.models import trained

COMMIT = "c" * 40


async def graph(http: httpx.AsyncClient, of: str, **asked: Any) -> tuple[dict[str, Any], set[tuple[str, str, str]]]:
    """Nodes by label, and edges by their labels."""
    answer = await http.get("/lineage", params={"of": of, **asked})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    by_id = {node["id"]: node for node in body["nodes"]}
    edges = {(by_id[e["before"]]["label"], e["how"], by_id[e["after"]]["label"]) for e in body["edges"]}
    return {f"{node['kind']} {node['label']}": node for node in body["nodes"]}, edges


async def made(service: RunningService, key: str = "k", *, who: str = "ada", model: str = "fraud", **asked: Any) -> str:
    told = {"commit": COMMIT, "dirty": False}
    files = {"model/w.safetensors": key.encode()}
    job = await trained(service, files, who=who, key=key, name=key, provenance=told, **asked)
    async with service.http(who) as http:
        answer = await http.post(f"/models/{model}/versions", json={"job": job, "files": "model/"})
        assert answer.status_code == 201, answer.text
        number = str(answer.json()["version"])
        moved = await http.post(f"/models/{model}/aliases/prod/promote", json={"version": number})
        assert moved.status_code == 200, moved.text
    return job


async def test_from_an_alias_up_to_the_commit_and_from_the_commit_down(service: RunningService) -> None:
    await made(service, "first")
    await made(service, "second")
    async with service.http("ada") as http:
        nodes, edges = await graph(http, "model:fraud@prod", direction="up")
        short = COMMIT[:12]
        assert {"alias fraud@prod", "version fraud@2", "job second", f"commit {short}"} <= nodes.keys()
        assert "version fraud@1" not in nodes
        assert nodes[f"commit {short}"]["known"] == "declared"
        assert nodes["image the site's"]["known"] == "missing"
        assert {
            (short, "went into", "second"),
            ("second", "made", "fraud@2"),
            ("fraud@2", "leads to", "fraud@prod"),
        } <= edges
        nodes, edges = await graph(http, f"commit:{COMMIT}", direction="down")
        assert {"job first", "job second", "version fraud@1", "version fraud@2", "alias fraud@prod"} <= nodes.keys()
        assert ("fraud@1", "led to before", "fraud@prod") in edges
        key = next(iter(service.context.models.signatures.keys()))
        nodes, _ = await graph(http, f"key:{key}", direction="down", depth=1)
        assert {kind.partition(" ")[0] for kind in nodes} == {"key", "version"}


async def test_a_model_that_a_job_has_loaded_is_above_what_it_made(service: RunningService) -> None:
    base = await made(service, "base", model="base")
    job = await made(service, "tuned")
    version = service.context.models.registry.of_job([base])[0]
    service.context.models.registry.note_use(version.id, "ada", job, 1.0)
    async with service.http("ada") as http:
        nodes, edges = await graph(http, "model:fraud@1", direction="up", depth=6)
        assert {"version base@1", "job base"} <= nodes.keys()
        assert ("base@1", "was loaded by", "tuned") in edges
        nodes, _ = await graph(http, "model:base@1", direction="down", depth=6)
        assert {"job tuned", "version fraud@1", "alias fraud@prod"} <= nodes.keys()


async def test_of_other_teams_there_are_digests_alone(service: RunningService, hub: FakeHub) -> None:
    await made(service, "ours")
    await made(service, "theirs-secret", who="eve", model="secret-model")
    async with service.http("ada") as http:
        answer = await http.get("/lineage", params={"of": f"commit:{COMMIT}", "direction": "down"})
        assert "secret" not in answer.text
        assert "eve" not in answer.text
        foreign = [node for node in answer.json()["nodes"] if node["foreign"]]
        assert [(node["label"], node["about"]) for node in foreign] == [("another team's job", {})]
        refused = await http.get("/lineage", params={"of": "model:secret-model@1", "tenant": "vision"})
        assert refused.status_code == 403
        assert (await http.get("/lineage", params={"of": "model:secret-model@1"})).status_code == 404
    async with service.http("both") as http:
        nodes, _ = await graph(http, f"commit:{COMMIT}", direction="down", tenant="nlp")
        assert "version secret-model@1" in nodes


@pytest.mark.parametrize("of", ["", "nothing", "commit:zz", "version:v1", "model:", "job:", "image:x", "x" * 301])
async def test_what_nothing_is_known_of_is_said(service: RunningService, of: str) -> None:
    async with service.http("ada") as http:
        answer = await http.get("/lineage", params={"of": of})
        assert answer.status_code in (400, 404), answer.text
        assert answer.json()["field"] in ("of", "model", "id")


async def evidence(service: RunningService) -> tuple[bytes, str]:
    """Of fraud@1, and its key's public part."""
    await made(service, "first")
    async with service.http("ada") as http:
        answer = await http.get("/models/fraud/versions/1/evidence")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")
        return answer.content, (await http.get("/model-keys")).json()["keys"][0]["public"]


async def test_evidence_is_checked_without_the_service(service: RunningService, tmp_path: Path) -> None:
    content, public = await evidence(service)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "w.safetensors").write_bytes(b"first")
    findings = check_evidence(content, trusted([public]), folder)
    assert [finding for finding in findings if not finding.ok] == []
    assert any("w.safetensors is the file that was signed" in finding.what for finding in findings)
    (folder / "w.safetensors").write_bytes(b"First")
    (folder / "more").write_bytes(b"")
    wrong = [finding.what for finding in check_evidence(content, None, folder) if not finding.ok]
    assert wrong == ["w.safetensors is not the file that was signed", "more was not signed"]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
async def test_evidence_is_checked_with_openssl_alone(service: RunningService, tmp_path: Path) -> None:
    content, _ = await evidence(service)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path)
    (key,) = (tmp_path / "keys").iterdir()
    signed = sorted((tmp_path / "statements").glob("*.signed"))
    assert len(signed) == 3
    for file in signed:
        command = ["openssl", "dgst", "-sha256", "-verify", str(key), "-signature", str(file.with_suffix(".signature"))]
        done = await asyncio.to_thread(run, [*command, str(file)])
        assert done.stdout.strip() == "Verified OK", done


def changed(content: bytes, name: str, change: Any) -> bytes:
    """The archive with one part changed."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(target, "w") as after:
        for info in before.infolist():
            part = before.read(info)
            after.writestr(info.filename, change(part) if info.filename == name else part)
    return target.getvalue()


async def test_evidence_that_was_changed_is_found(service: RunningService) -> None:
    content, public = await evidence(service)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        statements = sorted(n for n in archive.namelist() if n.startswith("statements/") and n.endswith(".json"))
        other = archive.read(statements[0])

    def hash_of_another(part: bytes) -> bytes:
        rows = json.loads(part)
        rows[1]["before"] = "0" * 64
        return json.dumps(rows).encode()

    for name, change in (
        (statements[1], lambda part: other),
        ("chain.json", hash_of_another),
        ("chain.json", lambda part: json.dumps(json.loads(part)[1:]).encode()),
    ):
        findings = check_evidence(changed(content, name, change), trusted([public]))
        assert any(not finding.ok for finding in findings), name
    for broken in (b"", b"PK", content[:-30], changed(content, "keys.json", lambda part: b"[]x")):
        with pytest.raises(BadEvidence):
            check_evidence(broken)
    stranger = trusted([])
    assert not any(finding.ok for finding in check_evidence(content, stranger) if "signed by a key" in finding.what)


async def test_a_reader_may_take_evidence_and_another_team_may_not(service: RunningService, hub: FakeHub) -> None:
    await made(service, "first")
    hub.add("reader-of-vision", "rita", scopes_for("vision"), groups=["tenant-vision"])
    async with service.http("reader") as http:
        assert (await http.get("/models/fraud/versions/1/evidence")).status_code == 200
    async with service.http("reader-of-vision") as http:
        assert (await http.get("/models/fraud/versions/1/evidence")).status_code == 404
