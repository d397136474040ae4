"""A ticket's team and profile, looked at once more when it is filed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aifactory_hub.domain.refusals import RefusalReason
from aifactory_hub.domain.tenants import Retirement
from aifactory_hub.domain.ticket_policy import review_menu
from aifactory_hub.domain.tickets import TicketRequest
from aifactory_profiles import Resources

from ..support.tenants import make_tenant

NOW = 1_800_000_000.0
NLP = make_tenant("nlp")
ASKED = TicketRequest("nlp", "t", "job", "j1", "ada", NLP.profiles[0], Resources(100, 1 << 30, {}), "batch")


def test_a_ticket_for_a_size_on_the_menu_may_be_filed() -> None:
    assert review_menu(ASKED, NLP, NOW) is None


@pytest.mark.parametrize("kind", ["server", "job"])
def test_a_size_that_was_taken_away_is_refused_with_those_that_there_are(kind: str) -> None:
    refusal = review_menu(replace(ASKED, kind=kind, profile="mig-7g.80gb"), replace(NLP, profiles=("a", "b")), NOW)
    assert refusal is not None and refusal.reason is RefusalReason.PROFILE_NOT_ALLOWED
    assert refusal.message == "Team nlp has no profile 'mig-7g.80gb' any more. Its profiles: a, b."


def test_a_team_that_was_taken_away_starts_nothing() -> None:
    refusal = review_menu(ASKED, None, NOW)
    assert refusal is not None and refusal.reason is RefusalReason.TENANT_UNAVAILABLE
    assert "nlp is not in tenants.yaml any more" in refusal.message


def test_a_team_that_has_ended_starts_nothing_and_says_whom_to_ask() -> None:
    ends = replace(NLP, retirement=Retirement(at=NOW, contact="platform@example.org"))
    assert review_menu(ASKED, ends, NOW - 1) is None
    refusal = review_menu(ASKED, ends, NOW)
    assert refusal is not None and refusal.reason is RefusalReason.TEAM_RETIRED
    assert refusal.message.startswith("Team nlp has ended: since 2027-01-15") and "platform@" in refusal.message


@pytest.mark.parametrize("tenant", [None, replace(NLP, profiles=()), replace(NLP, retirement=Retirement(at=0))])
def test_what_runs_already_gets_its_ticket_so_that_it_is_counted(tenant: object) -> None:
    assert review_menu(replace(ASKED, running=True), tenant, NOW) is None  # type: ignore[arg-type]
