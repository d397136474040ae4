"""What doctor says of the job service's rules and of the key that it signs with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.doctor import ask_for_answer, rules_finding, rules_url, signing_finding, signing_url
from aifactory_hub.domain.doctor import Verdict
from aifactory_hub.policy.provider import RulesStatus

from ..support.fake_hub import FakeHub
from ..support.job_service import running_service
from ..support.uploads import sha256

RULES: dict[str, tuple[dict[str, Any] | str, Verdict, str, str]] = {
    "none": ({"folder": "", "digest": "", "rules": 0, "trouble": ""}, Verdict.GOOD, "names no folder", ""),
    "in use": ({"folder": "/r", "digest": "d" * 64, "rules": 3, "trouble": ""}, Verdict.GOOD, "3 of /r, SHA-256 d", ""),
    "broken": (
        {"folder": "/r", "digest": "d", "rules": 3, "trouble": "/r/a.yaml:3: no"},
        Verdict.BAD,
        "last good rules are: /r/a.yaml:3: no",
        "policy test",
    ),
    "no answer": ("refused", Verdict.WARNING, "not known: refused", "look at the job service's log"),
}
SIGNING: dict[str, tuple[dict[str, Any] | str, Verdict, str, str]] = {
    "no key yet": ({"key": None, "trouble": ""}, Verdict.GOOD, "there is none yet", ""),
    "signs": ({"key": "a" * 64, "trouble": ""}, Verdict.GOOD, "aaaaaaaaaaaa signs", ""),
    "key lost": ({"key": "a" * 64, "trouble": "it can't be read"}, Verdict.BAD, "nothing can be signed", "model-keys"),
    "no answer": ("refused", Verdict.WARNING, "not known: refused", "look at the job service's log"),
}


@pytest.mark.parametrize("case", RULES)
def test_rules(case: str) -> None:
    found, verdict, seen, todo = RULES[case]
    finding = rules_finding(found)
    assert finding.verdict is verdict and seen in finding.seen and todo in finding.todo


@pytest.mark.parametrize("case", SIGNING)
def test_signing(case: str) -> None:
    found, verdict, seen, todo = SIGNING[case]
    finding = signing_finding(found)
    assert finding.verdict is verdict and seen in finding.seen and todo in finding.todo


def remove_key(folder: Path, key: str) -> None:
    for file in folder.rglob(f"{key}.pem"):
        file.unlink()


async def test_it_asks_the_service(tmp_path: Path) -> None:
    hub = FakeHub()
    hub.start()
    async with running_service(tmp_path, hub=hub, reconciling=False) as service:
        context = service.context
        object.__setattr__(context, "site_token_hash", sha256(b"site"))
        asked = {"rules": rules_url(service.url), "signing": signing_url(service.url)}
        for url in asked.values():
            refused = await ask_for_answer(url, "another")
            assert isinstance(refused, str) and "403" in refused
        assert (
            rules_finding(await ask_for_answer(asked["rules"], "site")).seen == "tenants.yaml names no folder of rules"
        )
        assert "none yet" in signing_finding(await ask_for_answer(asked["signing"], "site")).seen
        context.gates.rules._status = RulesStatus("/r", "/r/a.yaml:3: no")
        key = context.models.signatures.rotate("the service").id
        assert rules_finding(await ask_for_answer(asked["rules"], "site")).verdict is Verdict.BAD
        assert f"{key[:12]} signs" in signing_finding(await ask_for_answer(asked["signing"], "site")).seen
        remove_key(tmp_path, key)
        lost = signing_finding(await ask_for_answer(asked["signing"], "site"))
        assert lost.verdict is Verdict.BAD and f"the private key {key[:12]} can't be read" in lost.seen
    await hub.stop()
