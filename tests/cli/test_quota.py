"""``aifactory-hub quota`` against the service's own answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from aifactory_hub.cli.app import main
from aifactory_hub.cli.quota import lines
from aifactory_hub.client.session import Session
from aifactory_hub.domain.menu import TeamLoad
from aifactory_hub.domain.menu_json import menu_answer
from aifactory_hub.domain.quota import Holder, Usage

from ..support.tenants import SMALL, make_catalogue, make_tenant

NOW = 1_800_000_000.0
NLP = make_tenant("nlp", quota={SMALL: 2})


def answer(usage: Usage | None) -> Any:
    team_load = TeamLoad(NOW, usage, queue=(), borrowable={}, cluster_used={SMALL: 3}, carved={SMALL: 7})
    return menu_answer(NLP, make_catalogue(), team_load, simulated=True)


FREE = answer(Usage())
FULL = answer(Usage({SMALL: 2}, (Holder("server", "a", "ada", {SMALL: 2}, "p", NOW - 60, NOW + 1800),)))
UNKNOWN = answer(None)


def row(told: list[str], name: str) -> str:
    return " ".join(next(line for line in told if line.startswith(name + " ")).split())


def test_a_table_with_the_menu_s_numbers() -> None:
    told = lines(FREE)
    assert told[:2] == ["Team nlp, as of 2027-01-15T08:00:00Z", "The GPUs of this cluster are simulated."]
    assert row(told, "mig-1g.10gb") == "mig-1g.10gb 1/7 of an H100, 10 GB 0.40 EUR 2 free 2 of 2 0 4 of 7"
    assert row(told, "cpu-small") == "cpu-small none no price free"


def test_what_is_taken_says_how_long_and_why() -> None:
    told = lines(FULL)
    assert row(told, "mig-1g.10gb").endswith("wait 0 of 2 0 4 of 7 0 before, at most 30 min")
    assert any(line.startswith("mig-1g.10gb: nlp uses 2 of 2 1g.10gb; a notebook of ada ends") for line in told)


def test_what_is_not_known_is_never_a_number() -> None:
    assert row(lines(UNKNOWN), "mig-1g.10gb").endswith("0.40 EUR unknown unknown unknown unknown")


@pytest.mark.parametrize("option", [[], ["--tenant", "nlp"]])
def test_the_notebooks_own_team_is_asked_for_unless_one_is_named(
    monkeypatch: pytest.MonkeyPatch, option: list[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "t")
    monkeypatch.setenv("AIFACTORY_SERVICE_URL", "http://service.invalid")
    monkeypatch.setenv("AIFACTORY_TENANT", "other" if option else "nlp")
    monkeypatch.setattr(Session, "get", lambda self, path: FREE if asked.append(path) is None else None)  # type: ignore[func-returns-value]
    done = CliRunner().invoke(main, ["quota", "--json", *option])
    assert (done.exit_code, asked) == (0, ["/tenants/nlp/profiles"])
    assert json.loads(done.output) == FREE


def test_outside_a_notebook_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    done = CliRunner().invoke(main, ["quota"])
    assert done.exit_code == 1
    assert "JUPYTERHUB_API_TOKEN is missing" in done.output


def test_a_service_that_does_not_answer_is_soon_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aifactory_hub.cli.quota.TIMEOUT", 0.1)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "t")
    monkeypatch.setenv("AIFACTORY_SERVICE_URL", "http://127.0.0.1:1/services/aifactory")
    result = CliRunner().invoke(main, ["quota", "--tenant", "nlp"])
    assert result.exit_code == 1
    assert "The job service at http://127.0.0.1:1/services/aifactory did not answer" in result.output
