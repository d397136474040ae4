"""What doctor says of ledger, budgets, webhooks, Prometheus and backups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.doctor import ask_for_answer, backup_finding, factory_findings, factory_url
from aifactory_hub.doctor.factory_checks import backups
from aifactory_hub.domain.doctor import Finding, Stage, Verdict
from aifactory_hub.store.ledger import Ledger

from ..backup.site import held
from ..support.fake_hub import FakeHub
from ..support.job_service import running_service
from ..support.kube_server import kube_server
from ..support.uploads import sha256

GOOD: dict[str, Any] = {
    "ledger": {"entries": 20, "behind_seconds": 3, "checked": 20, "trouble": ""},
    "budgets": 2,
    "webhooks": {"waiting": 0, "oldest_seconds": 0, "given_up": 0, "trouble": ""},
    "mail": {"configured": True, "waiting": 0, "oldest_seconds": 0, "given_up": 0, "trouble": ""},
    "prometheus": {"configured": True, "trouble": ""},
}
LEDGER, KEPT, BUDGETS = "the ledger follows the cluster", "the ledger is as it was written", "budgets"
WEBHOOKS, PROMETHEUS = "messages to webhooks arrive", "Prometheus answers the job service"
MAIL = "mails to people arrive"
BACKUP = "a backup is not older than two days"
CASES: dict[str, tuple[str, dict[str, Any], str, Verdict, str, str]] = {
    "behind": ("ledger", {"behind_seconds": 121}, LEDGER, Verdict.BAD, "behind", "watch of the host's pods"),
    "just now": ("ledger", {"behind_seconds": 120}, LEDGER, Verdict.GOOD, "up to now", ""),
    "changed": ("ledger", {"trouble": "event 7 is not"}, KEPT, Verdict.BAD, "event 7 is not", "usage verify"),
    "given up": (
        "webhooks",
        {"given_up": 4, "trouble": "HTTP 500"},
        WEBHOOKS,
        Verdict.WARNING,
        "4 were given up within a day: HTTP 500",
        "jobs.webhook_hosts",
    ),
    "stuck": (
        "webhooks",
        {"waiting": 9, "oldest_seconds": 7200},
        WEBHOOKS,
        Verdict.WARNING,
        "9 wait, the oldest for 2 h",
        "egress",
    ),
    "on their way": ("webhooks", {"waiting": 1, "oldest_seconds": 5}, WEBHOOKS, Verdict.GOOD, "1 wait", ""),
    "no mail": ("mail", {"configured": False}, MAIL, Verdict.GOOD, "no mail server is set", ""),
    "mail given up": (
        "mail",
        {"given_up": 2, "trouble": "550"},
        MAIL,
        Verdict.WARNING,
        "2 were given up within a day: 550",
        "AIFACTORY_HUB_MAIL_",
    ),
    "no Prometheus": ("prometheus", {"configured": False}, PROMETHEUS, Verdict.WARNING, "names none", "telemetry"),
    "it is away": ("prometheus", {"trouble": "does not answer"}, PROMETHEUS, Verdict.BAD, "does not answer", "egress"),
}


def by_check(findings: list[Finding]) -> dict[str, Finding]:
    assert {each.stage for each in findings} == {Stage.FACTORY}
    assert all(each.todo for each in findings if each.verdict is not Verdict.GOOD), "each says what to do"
    return {each.check: each for each in findings}


def test_a_good_site_is_green() -> None:
    found = by_check(factory_findings(GOOD))
    assert list(found) == [LEDGER, KEPT, BUDGETS, WEBHOOKS, MAIL, PROMETHEUS]
    assert {each.verdict for each in found.values()} == {Verdict.GOOD}
    assert found[BUDGETS].seen == "2 are enforced"


@pytest.mark.parametrize("case", CASES)
def test_each_trouble_is_said_of_its_part_alone(case: str) -> None:
    part, change, check, verdict, seen, todo = CASES[case]
    found = by_check(factory_findings({**GOOD, part: {**GOOD[part], **change}}))
    assert found[check].verdict is verdict
    assert seen in found[check].seen and todo in found[check].todo
    assert {each.verdict for name, each in found.items() if name != check} == {Verdict.GOOD}


@pytest.mark.parametrize("answer", ["refused", {}, {"ledger": 1}])
def test_no_answer_is_not_known_and_holds_no_stage(answer: Any) -> None:
    (found,) = factory_findings(answer)
    assert found.verdict is Verdict.WARNING and found.seen.startswith("not known")


async def test_it_asks_the_service(tmp_path: Path) -> None:
    hub = FakeHub()
    hub.start()
    async with running_service(tmp_path, hub=hub, reconciling=False) as service:
        context = service.context
        object.__setattr__(context, "site_token_hash", sha256(b"site"))
        url = factory_url(service.url)
        refused = await ask_for_answer(url, "another")
        assert isinstance(refused, str) and "403" in refused
        context.ledger.append(held("p1"))
        found = by_check(factory_findings(await ask_for_answer(url, "site")))
        assert found[KEPT].seen == "the last 3 of 3 entries follow on each other"
        assert found[PROMETHEUS].seen == "tenants.yaml names none"
        object.__setattr__(context, "heard_at", lambda: int(context.clock()) - 600)
        found = by_check(factory_findings(await ask_for_answer(url, "site")))
        assert found[LEDGER].verdict is Verdict.BAD and "10 min" in found[LEDGER].seen
    await hub.stop()


def test_the_end_of_a_ledger_is_verified_from_the_entry_before_it(tmp_path: Path) -> None:
    from ..backup.site import make_site, opened

    site = make_site(f"sqlite:///{tmp_path / 'jobs.sqlite'}", tmp_path)
    with opened(site.url) as db:
        assert [Ledger(db).verify_end(count).problem for count in (1, 5, 6, 100)] == [None] * 4
        with db.begin() as connection:
            for (trigger,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all():
                connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
            connection.exec_driver_sql("UPDATE usage_events SET at = at + 1 WHERE seq = 5")
        problems = [Ledger(db).verify_end(count).problem for count in (1, 2, 6)]
        assert problems == [None, "event 5 is not as it was written", "event 5 is not as it was written"]


NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


@pytest.mark.parametrize(
    ("last", "verdict", "seen"),
    [
        ("2027-01-15T02:17:05Z", Verdict.GOOD, "the newest is"),
        ("2027-01-15T08:00:30Z", Verdict.GOOD, "the newest is"),
        ("2027-01-12T02:17:05Z", Verdict.WARNING, "days old"),
        (None, Verdict.WARNING, "none has been made yet"),
    ],
)
def test_how_old_the_newest_backup_is(last: str | None, verdict: Verdict, seen: str) -> None:
    found = backups({"status": {"lastSuccessfulTime": last} if last else {}}, NOW)
    assert found.verdict is verdict and seen in found.seen


async def test_a_site_without_backups_is_warned_and_a_credential_that_may_not_look_is_not_blamed() -> None:
    from aifactory_hub.clusters import KubeApi
    from aifactory_hub.clusters.credentials import Credential

    async with kube_server() as server:
        api = KubeApi(Credential(server=server.url, token="t"))
        try:
            found = await backup_finding(api, NOW)
            assert (found.check, found.verdict, found.seen) == (BACKUP, Verdict.WARNING, "the chart makes none")
            place = "/apis/batch/v1/namespaces/aifactory-system/cronjobs"
            status = {"lastSuccessfulTime": "2027-01-15T02:17:05Z"}
            server.put(place, {"metadata": {"name": "aifactory-backup"}, "status": status})
            assert (await backup_finding(api, NOW)).verdict is Verdict.GOOD
        finally:
            await api.close()
    assert backups(None, NOW, unseen="this credential may not look").verdict is Verdict.UNSEEN
