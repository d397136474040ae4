"""``aifactory-hub usage`` and ``bill`` against the service's own answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli.app import main
from aifactory_hub.client import usage as asked_usage
from aifactory_hub.client.session import Account, Session

from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService
from ..support.usage import NOVEMBER, NOW, usage_service

Command = Callable[..., Awaitable[Result]]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[RunningService]:
    hub = FakeHub()
    hub.start()
    async with usage_service(tmp_path, hub) as service:
        yield service
    await hub.stop()


@pytest.fixture
def command(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command in a thread, because the service that it asks is in this process."""

    def run(token: str, *words: str, team: str | None = "nlp") -> Awaitable[Result]:
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", token)
        monkeypatch.setenv("AIFACTORY_SERVICE_URL", service.url)
        if team is None:
            monkeypatch.delenv("AIFACTORY_TENANT", raising=False)
        else:
            monkeypatch.setenv("AIFACTORY_TENANT", team)
        return asyncio.to_thread(CliRunner().invoke, main, list(words))

    return run


def rows(done: Result) -> list[str]:
    assert done.exit_code == 0, done.output
    return [" ".join(text.split()) for text in done.output.splitlines()]


async def test_ones_own_month_as_a_table(command: Command) -> None:
    told = rows(await command("ada", "usage"))
    assert told[0] == "2026-11: your use in all teams, as of 2026-11-04 23:00 UTC"
    assert told[1] == "TEAM PROFILE KIND HOURS GPU HOURS PODS COSTS AN HOUR"
    assert "nlp small server 2.00 0.29 1 3.00 EUR 1.50 EUR" in told
    assert "nlp free-of-price job 1.00 0.14 1 no price no price" in told
    assert told[-1] == "all 3.00 0.43 2 3.00 EUR"


async def test_a_team_by_user_and_json_as_the_service_says_it(command: Command) -> None:
    told = rows(await command("grace", "usage", "--by", "user"))
    assert told[0].endswith("all its use, as of 2026-11-04 23:00 UTC")
    assert "bob 1.00 0.14 1 1.50 EUR" in told
    assert any(row.startswith("unknown 0.03") for row in told)
    answer = json.loads((await command("ada", "usage", "--team", "nlp", "--by", "profile", "--json")).output)
    assert (answer["scope"], answer["total"]["seconds"]) == ("own", 3 * 3600)


async def test_a_bill_says_whether_it_is_closed(command: Command) -> None:
    told = rows(await command("grace", "bill", "2026-10"))
    assert told[0] == "Team nlp, 2026-10: over, not closed yet, as of 2026-11-04 23:00 UTC"
    assert told[2:] == ["bob small server 1.00 0.14 1 1.50 EUR 1.50 EUR", "Total: 1.50 EUR"]
    done = rows(await command("platform", "usage", "close", "2026-10", "--yes", team=None))
    assert done[0].startswith("2026-10 is closed by rene, digest ")
    told = rows(await command("grace", "bill", "2026-10"))
    assert "closed at 2026-11-04 23:00 UTC by rene" in told[0]
    assert rows(await command("platform", "bill", "2026-10", "--all", team=None))[-1] == "All teams: 1.50 EUR"


async def test_a_bill_as_csv(command: Command) -> None:
    done = await command("grace", "bill", "2026-11", "--csv")
    head, *lines = done.output.splitlines()
    assert head.split(",")[:5] == ["record", "month", "booked_in", "tenant", "user"]
    assert len(lines) == 4


async def test_what_an_administrator_verifies_and_corrects(command: Command, service: RunningService) -> None:
    end = "2026-11-01T01:00:00+01:00"
    done = await command("platform", "usage", "correct", "a1", "--end", end, "--reason", "it hung", "--team", "nlp")
    assert rows(done)[0] == "The hold of pod a1 began at 2026-11-01 00:00 UTC and ends at 2026-11-01 00:00 UTC."
    assert [fact.at for fact in service.context.ledger.facts("a1")][-1] == NOVEMBER.start + 3600
    done = await command("platform", "usage", "correct", "b1", "--void", "--reason", "a test", "--team", "nlp")
    assert rows(done)[0].endswith("and does not count.")
    assert rows(await command("platform", "usage", "verify")) == ["11 events, 5 holds: all as written"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("usage", "--month", "2026-13"), "'2026-13' is not a month: write it as 2026-10"),
        (("bill", "../../x"), "'../../x' is not a month"),
        (("usage", "close", "2026"), "'2026' is not a month"),
        (("usage", "close", "2026-11", "--yes"), "2026-11 is not over"),
        (("usage", "correct", "a1", "--void"), "--reason"),
        (("usage", "correct", "a1", "--void", "--reason", " "), "say why, in a sentence"),
        (("usage", "correct", "a1", "--reason", "x"), "--end TIME or --void"),
        (("usage", "correct", "a1", "--reason", "x", "--end", "2026-11-01T14:30"), "has no time zone"),
        (("usage", "correct", "a1", "--reason", "x", "--end", "noon"), "'noon' is not a time"),
        (("usage", "correct", "a1", "--reason", "x", "--end", str(NOW + 5)), "Say a second between both"),
        (("usage", "correct", "none", "--reason", "x", "--void"), "There is no hold of pod 'none'"),
        (("bill", "2026-11", "--all", "--team", "nlp"), "--team or --all, one of them"),
    ],
)
async def test_what_can_not_be_is_refused_with_what_to_do(command: Command, words: tuple[str, ...], said: str) -> None:
    done = await command("platform", *words)
    assert done.exit_code in (1, 2)
    assert said in done.output


async def test_a_member_closes_nothing_and_sees_no_bill(command: Command) -> None:
    for words in (("usage", "close", "2026-10", "--yes"), ("usage", "verify"), ("bill", "2026-10")):
        done = await command("ada", *words)
        assert done.exit_code == 1
        assert "[forbidden]" in done.output


async def test_a_ledger_that_was_changed_is_told_by_the_exit_code(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"events": 7, "holds": 2, "problem": "event 3 is not as it was written"}
    monkeypatch.setattr(Session, "change", lambda self, path, body: said)
    done = await command("platform", "usage", "verify")
    assert (done.exit_code, done.output) == (1, "7 events, 2 holds: event 3 is not as it was written\n")


async def test_a_notebook_asks_for_usage_too(service: RunningService) -> None:
    session = Session(Account(service.url.rstrip("/"), "ada", tenant="nlp"))
    own = await asyncio.to_thread(asked_usage, month="2026-11", session=session)
    team = await asyncio.to_thread(asked_usage, by="profile", session=session)
    assert (own["seconds"], team["scope"], team["total"]["seconds"]) == (3 * 3600, "own", 3 * 3600)
    session.close()
