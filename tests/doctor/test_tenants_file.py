"""What doctor says of the tenants.yaml that hub and job service work with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.doctor import ask_for_answer, hub_url, service_url, tenants_file_finding
from aifactory_hub.domain.doctor import Verdict

from ..support.fake_hub import FakeHub
from ..support.job_service import running_service
from ..support.uploads import sha256

TABLE: dict[str, tuple[dict[str, Any] | str, Verdict, str, str]] = {
    "this file": ({"digest": "d", "read_at": 0.0}, Verdict.GOOD, "with this file, read 1970-01-01 00:00:00 UTC", ""),
    "another": (
        {"digest": "x" * 64, "read_at": None},
        Verdict.WARNING,
        "another file, SHA-256 xxxxxxxxxxxx, read never",
        "ConfigMap",
    ),
    "a broken one": ({"digest": "d", "trouble": "t.yaml:3: no"}, Verdict.BAD, "t.yaml:3: no", "correct the file"),
    "one that waits": (
        {"digest": "d", "trouble": "t:3: hub", "waits": True},
        Verdict.BAD,
        "t:3: hub",
        "restart the hub",
    ),
    "no answer": ("refused", Verdict.WARNING, "not known: refused", "look at the hub's log"),
}


@pytest.mark.parametrize("case", TABLE)
def test_what_is_seen_and_what_to_do(case: str) -> None:
    found, verdict, seen, todo = TABLE[case]
    finding = tenants_file_finding("hub", found, "d")
    assert (finding.verdict, finding.check) == (verdict, "the hub's tenants.yaml")
    assert seen in finding.seen and todo in finding.todo


def test_where_it_asks() -> None:
    assert hub_url("http://hub:8081/hub/api") == "http://hub:8081/hub/aifactory/api/tenants-file"
    assert service_url("http://proxy/services/aifactory/") == "http://proxy/services/aifactory/api/v1/site/tenants-file"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "http://[/"])
async def test_who_does_not_answer_is_not_known(url: str) -> None:
    assert isinstance(await ask_for_answer(url, "token"), str)


async def test_it_asks_the_service(tmp_path: Path) -> None:
    hub = FakeHub()
    hub.start()
    async with running_service(tmp_path, hub=hub, reconciling=False) as service:
        object.__setattr__(service.context, "site_token_hash", sha256(b"site"))
        found = await ask_for_answer(service_url(service.url), "site")
        refused = await ask_for_answer(service_url(service.url), "another")
    await hub.stop()
    assert isinstance(found, dict) and found["trouble"] == "" and found["waits"] is False
    assert isinstance(refused, str) and "403" in refused
