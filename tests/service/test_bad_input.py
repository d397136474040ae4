"""A caller's mistake is a 4xx that names the field, never a 500."""

from __future__ import annotations

import gzip
import json
import random
from typing import Any

import httpx
import pytest

from ..support.job_service import RunningService
from ..support.uploads import manifest_of, pack_of, send_files, sha256

GOOD = {"command": "true", "profile": "mig-1g.10gb", "key": "k"}

# name, what is changed (None removes), status, reason, field, part of the message
CASES: list[tuple[str, dict[str, Any], int, str, str, str]] = [
    ("no command", {"command": None}, 400, "bad-field", "command", "empty"),
    ("an empty command", {"command": "  "}, 400, "bad-field", "command", "empty"),
    ("a command that is a list", {"command": ["a"]}, 400, "bad-field", "command", '["a"]'),
    ("a NUL in the command", {"command": "a\x00b"}, 400, "bad-field", "command", "NUL"),
    ("a command that is a book", {"command": "x" * 100_000}, 413, "too-large", "command", "98304 bytes"),
    ("a command that is a book in Chinese", {"command": "书" * 33_000}, 413, "too-large", "command", "98304 bytes"),
    (
        "an environment of many bytes",
        {"environment": {"A": "😀" * 17_000}},
        400,
        "bad-field",
        "environment",
        "65536 bytes",
    ),
    ("a name that is a book", {"name": "x" * 101}, 413, "too-large", "name", "100"),
    ("a name with a newline", {"name": "a\nb"}, 400, "bad-field", "name", "control"),
    ("no profile", {"profile": None}, 400, "choice-missing", "profile", "mig-1g.10gb"),
    ("an unknown profile", {"profile": "mig-9g"}, 403, "profile-not-allowed", "profile", "'mig-9g'"),
    ("a profile that never fits", {"profile": "mig-3g.40gb"}, 409, "never-fits", "profile", "could never start"),
    ("no key", {"key": None}, 400, "bad-field", "key", "missing"),
    ("a key with a space", {"key": "a b"}, 400, "bad-field", "key", "printable"),
    ("a long key", {"key": "k" * 101}, 400, "bad-field", "key", "100"),
    ("an unknown field", {"gpus": 3}, 400, "bad-field", "gpus", "Fields: command, profile"),
    ("a digest that is none", {"files": "abc"}, 400, "bad-field", "files", "abc"),
    ("files that were not uploaded", {"files": "0" * 64}, 400, "bad-field", "files", "send the files and it"),
    ("outputs as text", {"outputs": "*.bin"}, 400, "bad-field", "outputs", "valid"),
    ("too many outputs", {"outputs": ["x"] * 65}, 400, "bad-field", "outputs", "64"),
    ("a number as a variable", {"environment": {"A": 1}}, 400, "bad-field", "environment.A", "string"),
    ("a bad variable name", {"environment": {"A-B": "1"}}, 400, "bad-field", "environment", "'A-B'"),
    ("our own variable", {"environment": {"AIFACTORY_X": "1"}}, 400, "bad-field", "environment", "AIFACTORY_"),
    ("a huge environment", {"environment": {"A": "x" * 70_000}}, 400, "bad-field", "environment", "65536"),
]


@pytest.mark.parametrize(
    ("change", "status", "reason", "field", "said"),
    [case[1:] for case in CASES],
    ids=[case[0].replace(" ", "-") for case in CASES],
)
async def test_a_bad_submission_is_refused_by_field(
    service: RunningService, change: dict[str, Any], status: int, reason: str, field: str, said: str
) -> None:
    body = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    async with service.http("ada") as http:
        answer = await http.post("/jobs", json=body)
    assert (answer.status_code, answer.json()["reason"], answer.json()["field"]) == (status, reason, field)
    assert said in answer.json()["detail"]
    assert service.context.jobs.live() == []


async def test_a_refusal_carries_its_numbers(service: RunningService) -> None:
    async with service.http("ada") as http:
        answer = (await http.post("/jobs", json={**GOOD, "profile": "mig-3g.40gb"})).json()
    assert (answer["resource"], answer["asked"], answer["used"], answer["limit"]) == (
        "nvidia.com/mig-3g.40gb",
        1,
        0,
        0,
    )


async def test_a_secret_variable_is_not_echoed(service: RunningService) -> None:
    async with service.http("ada") as http:
        answer = await http.post("/jobs", json={**GOOD, "environment": {"A": "hunter2", "B-": "hunter2"}})
        listed = await http.post("/jobs", json={**GOOD, "environment": {"A": "hunter2"}})
    assert answer.status_code == 400
    assert listed.status_code == 201
    assert "hunter2" not in answer.text + listed.text
    assert listed.json()["environment"] == ["A"]


BODIES = [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"command": "\\ud800"}', b"{" * 5000, b"1e999"]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_a_body_that_is_no_object_is_refused(service: RunningService, body: bytes) -> None:
    async with service.http("ada") as http:
        answer = await http.post("/jobs", content=body)
    assert (answer.status_code, answer.json()["reason"]) == (400, "bad-field")


@pytest.mark.parametrize("path", ["/jobs", "/jobs/dry-run", "/schedules"])
@pytest.mark.parametrize("body", [b"[" * 500_000, b'{"a":' * 100_000, b'{"provenance":' + b"[" * 200_000])
async def test_json_of_great_depth_is_refused(service: RunningService, path: str, body: bytes) -> None:
    async with service.http("ada") as http:
        for headers in ({}, {"Idempotency-Key": "k"}):
            answer = await http.post(path, content=body, headers=headers)
            assert (answer.status_code, answer.json()["reason"]) == (400, "bad-field")


async def test_a_multipart_body_that_is_broken_is_refused(service: RunningService) -> None:
    async with service.http("ada") as http:
        answer = await http.post(
            "/jobs", content=b"--x\r\nbroken", headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
    assert answer.status_code == 400
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=-1", "limit"),
        ("mine=maybe", "mine"),
    ],
)
async def test_a_bad_query_is_refused_by_field(service: RunningService, query: str, field: str) -> None:
    async with service.http("ada") as http:
        answer = await http.get(f"/jobs?{query}")
    assert (answer.status_code, answer.json()["field"]) == (400, field)


async def test_packs_are_checked(service: RunningService) -> None:
    content = pack_of({"a": b"archive", "b": b""})
    digest, most = sha256(content), service.context.registry.jobs.max_upload + 16 * 2**20
    other, bomb = pack_of({"a": b"x"}), pack_of({"a": bytes(most)})
    async with service.http("ada", timeout=60) as http:
        good = await http.put(f"/uploads/packs/{digest}", content=content)
        damaged = await http.put(f"/uploads/packs/{'0' * 64}", content=content)
        unnamed = await http.put("/uploads/packs/abc", content=content)
        large = await http.put(f"/uploads/packs/{digest}", content=b"x" * (most + 1))
        chunked = await http.put(f"/uploads/packs/{digest}", content=_pieces())
        foreign = await http.put(f"/uploads/packs/{digest}?tenant=vision", content=content)
        no_pack = await http.put(f"/uploads/packs/{sha256(b'x')}", content=b"x")
        forged = gzip.compress(gzip.decompress(other).replace(sha256(b"x").encode(), sha256(b"y").encode()))
        wrong = await http.put(f"/uploads/packs/{sha256(forged)}", content=forged)
        huge = await http.put(f"/uploads/packs/{sha256(bomb)}", content=bomb)
    assert (good.status_code, good.json()) == (201, {"sha256": digest, "size": len(content)})
    assert (damaged.status_code, damaged.json()["reason"]) == (422, "digest-mismatch")
    assert (unnamed.status_code, unnamed.json()["field"]) == (400, "X-Content-SHA256")
    assert (large.status_code, large.json()["limit"]) == (413, most)
    assert (chunked.status_code, chunked.json()["reason"]) == (411, "length-required")
    assert foreign.status_code == 403
    for refused in (no_pack, wrong, huge):
        assert (refused.status_code, refused.json()["field"]) == (400, "body"), refused.text


async def _pieces() -> Any:
    yield b"arch"
    yield b"ive"


@pytest.mark.parametrize(
    "names",
    [["../up"], ["/etc/passwd"], ["a/../../b"], ["a", "a"], ["a", "a/b"], ["a//b"], [""], ["."], ["a\nb"], ["x" * 501]],
)
async def test_a_manifest_names_files_below_the_work_folder_only(service: RunningService, names: list[str]) -> None:
    files = [{"name": name, "sha256": sha256(b"x"), "size": 1} for name in names]
    content = json.dumps({"files": files}).encode()
    async with service.http("ada") as http:
        await send_files(http, {"x": b"x"})
        answer = await http.put(f"/uploads/manifests/{sha256(content)}", content=content)
    assert answer.status_code == 400, answer.text
    assert "files" in answer.json()["field"]


async def test_a_manifest_is_taken_only_with_its_files_and_within_the_limit(service: RunningService) -> None:
    content = manifest_of({"a": b"never sent", "b": b"neither"})
    large = json.dumps({"files": [{"name": "a", "sha256": sha256(b"x"), "size": 2**40}]}).encode()
    async with service.http("ada") as http:
        early = await http.put(f"/uploads/manifests/{sha256(content)}", content=content)
        too_large = await http.put(f"/uploads/manifests/{sha256(large)}", content=large)
    assert (early.status_code, early.json()["reason"]) == (409, "files-missing")
    assert early.json()["missing"] == [sha256(b"never sent"), sha256(b"neither")]
    assert (too_large.status_code, too_large.json()["asked"]) == (413, 2**40)


async def test_nobody_runs_another_persons_files(service: RunningService) -> None:
    async with service.http("ada") as http:
        digest = await send_files(http, {"a": b"mine"})
    async with service.http("bob") as http:
        answer = await http.post("/jobs", json={**GOOD, "files": digest})
        asked = {"sha256": [sha256(b"mine")]}
        assert (await http.post("/uploads/missing", json=asked)).json()["missing"] == asked["sha256"]
        manifest = manifest_of({"a": b"mine"})
        stolen = await http.put(f"/uploads/manifests/{digest}", content=manifest)
    assert (answer.status_code, answer.json()["field"]) == (400, "files")
    assert stolen.status_code == 409


async def test_an_unknown_path_or_method_is_said_in_json(service: RunningService) -> None:
    async with service.http("ada") as http:
        assert (await http.get("/nothing")).json()["reason"] == "unknown-path"
        assert (await http.patch("/jobs")).json()["reason"] == "method-not-allowed"
        assert (await http.get("/jobs/..%2f..%2fetc")).status_code == 404
        assert (await http.get("/jobs/j1/artifacts/..%2f..%2fetc%2fpasswd")).status_code == 404


ENDINGS = ["jobs", "jobs/x", "jobs/x/logs", "jobs/x/artifacts/y", "quota", "uploads/packs/x", "internal/jobs/x/result"]


async def test_nothing_that_is_thrown_at_it_makes_a_500(service: RunningService) -> None:
    dice = random.Random(3)
    values: list[Any] = [
        None,
        0,
        -1,
        1e308,
        True,
        "",
        "x",
        "\x00",
        "é" * 50,
        "💥",
        [],
        {},
        [[]],
        {"a": None},
        "k" * 300,
    ]
    fields = [*GOOD, "name", "tenant", "files", "outputs", "environment", "zzz"]
    seen: set[int] = set()
    async with service.http("ada", timeout=20) as http:
        for _ in range(300):
            body = {**GOOD} | {dice.choice(fields): dice.choice(values) for _ in range(dice.randint(1, 4))}
            seen.add((await http.post("/jobs", json=body)).status_code)
        for _ in range(300):
            seen.add((await _throw(http, dice, values)).status_code)
    assert max(seen) < 500, seen
    assert {201, 400, 404} <= seen


async def _throw(http: httpx.AsyncClient, dice: random.Random, values: list[Any]) -> httpx.Response:
    bits = ["a", "j0", "/", ".", "%2e%2e", "%00", "%ff", "%2f", "%0a", "%c3%a9", "-", "~", "%22", "%3c"]
    text = "".join(dice.choice(bits) for _ in range(dice.randint(0, 12)))
    path = f"/{dice.choice(ENDINGS).replace('x', text)}"
    body = json.dumps(dice.choice(values)).encode()[: dice.randint(0, 40)]
    method = dice.choice(["GET", "POST", "PUT", "DELETE"])
    return await http.request(method, path, content=body)
