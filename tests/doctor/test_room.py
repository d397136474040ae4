"""What doctor says of the job service's disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.doctor import ask_for_room, room_findings
from aifactory_hub.domain.doctor import Verdict

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import running_service
from ..support.uploads import pack_of, sha256

GIB = 2**30


def said(**changes: Any) -> dict[str, Any]:
    holders = [{"tenant": "nlp", "owner": "ada", "total": 3 * GIB, "kinds": {"logs": GIB, "packs": 2 * GIB, "x": 0}}]
    return {"disk_total": 100 * GIB, "disk_free": 40 * GIB, "keep_free": 10, "holders": holders, **changes}


def test_the_largest_holders_are_named() -> None:
    disk, holders = room_findings(said())
    assert (disk.verdict, disk.seen) == (Verdict.GOOD, "40 % of 100 GiB free")
    assert holders.seen == "ada in nlp 3.00 GiB (files sent for jobs 2.00, logs 1.00)"
    assert room_findings(said(holders=[]))[1].seen == "nobody holds anything"


def test_too_little_that_is_free_is_a_warning_with_what_to_do() -> None:
    disk = room_findings(said(disk_free=9 * GIB))[0]
    assert (disk.verdict, disk.seen) == (Verdict.WARNING, "9 % of 100 GiB free")
    assert "jobs.room_per_team" in disk.todo


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/services/aifactory/", "http://[/"])
async def test_a_service_that_does_not_answer_is_not_known_and_no_fault(url: str) -> None:
    (finding,) = room_findings(await ask_for_room(url, "token"))
    assert finding.verdict is Verdict.WARNING
    assert finding.seen.startswith("not known: ")
    assert "token" not in finding.seen


async def test_it_asks_the_service(tmp_path: Path) -> None:
    hub = FakeHub()
    hub.start()
    hub.add("ada", "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    pack = pack_of({"a": b"x"})
    async with running_service(tmp_path, hub=hub, reconciling=False) as service:
        object.__setattr__(service.context, "site_token_hash", sha256(b"site"))
        async with service.http("ada") as http:
            assert (await http.put(f"/uploads/packs/{sha256(pack)}", content=pack)).status_code == 201
        found = await ask_for_room(service.url, "site")
        refused = await ask_for_room(service.url, "ada")
    await hub.stop()
    assert isinstance(found, dict)
    assert [(each["owner"], each["total"]) for each in found["holders"]] == [("ada", len(pack))]
    assert isinstance(refused, str)
    assert "403" in refused
