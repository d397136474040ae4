"""The end of a team."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aifactory_hub.domain.team_end import Phase, Purge, notice_of, phase_of, purge_problem, review_retirement
from aifactory_hub.domain.tenants import Retirement

from ..support.tenants import make_tenant

AT, KEEP = 1_800_000_000.0, 86400.0
TEAM = replace(make_tenant("nlp"), retirement=Retirement(AT, KEEP, "platform@example.org"))
GOOD = Purge("ada", "eve", "u1")


@pytest.mark.parametrize(("now", "phase"), [(AT - 1, Phase.NOTICE), (AT, Phase.ENDS), (AT + 10**9, Phase.ENDS)])
def test_the_phases(now: float, phase: Phase) -> None:
    assert phase_of(TEAM.retirement, now) is phase
    assert phase_of(None, now) is Phase.STAYS


def test_people_are_told_when_and_whom_to_ask() -> None:
    assert notice_of(make_tenant("nlp"), AT) == ""
    assert "ends: from 2027-01-15 08:00:00 UTC on nothing starts" in notice_of(TEAM, AT - 1)
    after = notice_of(TEAM, AT)
    assert "kept until 2027-01-16 08:00:00 UTC, at least" in after and after.endswith("Ask platform@example.org.")


def test_a_purge_takes_two_people_the_uid_and_the_time_that_was_promised() -> None:
    assert purge_problem(TEAM, GOOD, "u1", "retired", AT + KEEP) == ""


@pytest.mark.parametrize(
    ("purge", "uid", "stage", "now", "said"),
    [
        (replace(GOOD, agreed_by="ada"), "u1", "retired", AT + KEEP, "two people"),
        (replace(GOOD, agreed_by=""), "u1", "retired", AT + KEEP, "two people"),
        (replace(GOOD, asked_by="", agreed_by=""), "u1", "retired", AT + KEEP, "two people"),
        (GOOD, "u2", "retired", AT + KEEP, "uid is not 'u1'"),
        (replace(GOOD, uid=""), "u1", "retired", AT + KEEP, "uid is not ''"),
        (GOOD, "u1", "draining", AT + KEEP, "wait until it is drained"),
        (GOOD, "u1", "ready", AT + KEEP, "wait until it is drained"),
        (GOOD, "u1", "retired", AT + KEEP - 1, "kept until 2027-01-16"),
        (GOOD, "u1", "retired", AT - 1, "has not ended"),
    ],
)
def test_why_a_purge_is_refused(purge: Purge, uid: str, stage: str, now: float, said: str) -> None:
    assert said in purge_problem(TEAM, purge, uid, stage, now)


def test_a_team_that_stays_is_not_purged() -> None:
    assert "has not ended" in purge_problem(make_tenant("nlp"), GOOD, "u1", "retired", AT)


def test_a_team_that_expires_is_told_of_shortly_before_and_can_ask_for_more() -> None:
    expiring = replace(make_tenant("nlp"), retirement=Retirement(at=100.0 * 86400, notice=14 * 86400.0))
    assert notice_of(expiring, 50.0 * 86400) == ""
    assert phase_of(expiring.retirement, 50.0 * 86400) is Phase.STAYS
    assert "can ask for more time" in notice_of(expiring, 90.0 * 86400)
    assert phase_of(expiring.retirement, 100.0 * 86400) is Phase.ENDS
    assert review_retirement(expiring, 101.0 * 86400) is not None
