"""Who holds what in a team and who waits, as each of its people may see it."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.domain.menu import TeamLoad
from aifactory_hub.domain.quota import Holder, Usage
from aifactory_hub.domain.team_overview import OverviewAnswer, Reader, overview, platform_overview
from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.tickets import Ticket, TicketState

from ..support.tenants import SMALL, make_catalogue, make_tenant

NOW = 1_800_000_000.0


def seen(load: TeamLoad, name: str = "ada", role: Role = Role.MEMBER) -> OverviewAnswer:
    return overview(make_tenant("nlp"), make_catalogue(), load, Reader(name, role), simulated=True)


def holder(kind: str, owner: str, since: float | None) -> Holder:
    return Holder(kind, owner, "ada", {SMALL: 1}, "mig-1g.10gb", since)


def waits(kind: str, owner: str, user: str) -> Ticket:
    return Ticket(
        "nlp", owner, owner, TicketState.QUEUED, kind, owner, user, "mig-1g.10gb", devices={SMALL: 1}, filed_at=NOW
    )


def test_who_has_held_the_longest_comes_first_and_each_has_a_name() -> None:
    held = [holder("job", "j1", None), holder("server", "ada--big", NOW - 5), holder("server", "ada", NOW - 9)]
    answer = seen(TeamLoad(NOW, Usage({SMALL: 3}, tuple(held)), queue=()))
    assert answer["holding"] is not None
    assert [(each["name"], each["since"]) for each in answer["holding"]] == [
        ("", "2027-01-15T07:59:51Z"),
        ("big", "2027-01-15T07:59:55Z"),
        ("j1", None),
    ]
    assert answer["holding"][0]["size"] == "1/7 of an H100, 10 GB"
    assert (answer["role"], answer["waiting"]) == ("member", [])


@pytest.mark.parametrize(
    ("name", "role", "users"),
    [
        ("ada", Role.MEMBER, [None, "ada", "kim"]),
        ("kim", Role.VIEWER, ["kim", None, "kim"]),
        ("noor", Role.ADMIN, ["kim", "ada", "kim"]),
    ],
)
def test_whose_server_waits_is_for_admins_and_for_its_owner(name: str, role: Role, users: list[Any]) -> None:
    queue = (waits("server", "kim", "kim"), waits("server", "ada--big", "ada"), waits("job", "j2", "kim"))
    answer = seen(TeamLoad(NOW, Usage(), queue=queue), name, role)
    assert answer["waiting"] is not None
    assert [each["user"] for each in answer["waiting"]] == users
    assert [each["owner"] is None for each in answer["waiting"]] == [user is None for user in users]
    assert all("kim" not in str(each) for each in answer["waiting"] if each["user"] is None)


def test_it_says_why_each_waits_and_what_would_let_it_go() -> None:
    held = holder("job", "j1", NOW)
    answer = seen(TeamLoad(NOW, Usage({SMALL: 1}, (held,)), queue=(waits("job", "j2", "kim"),)))
    assert answer["waiting"] is not None
    (waiting,) = answer["waiting"]
    assert waiting["why"] == "The team holds 1 of its own 1 mig-1g.10gb, and may borrow none."
    assert waiting["lets_go"].startswith("It starts when enough of these have ended: job j1 of ada.")


def test_what_is_not_known_is_null_and_not_empty() -> None:
    answer = seen(TeamLoad(NOW, None, unavailable="its vCluster is away"))
    assert (answer["known"], answer["holding"], answer["waiting"]) == (False, None, None)
    assert answer["unavailable"] == "its vCluster is away"


def test_all_teams_in_numbers_that_name_nobody() -> None:
    held = (holder("job", "j1", None), holder("server", "ada", None), holder("server", "ada--b", None))
    tenants = {name: make_tenant(name) for name in ("nlp", "vision", "new")}
    loads = {
        "nlp": TeamLoad(NOW, Usage({SMALL: 3}, held), queue=(waits("job", "j2", "kim"),)),
        "vision": TeamLoad(NOW, None, unavailable="its vCluster is away"),
    }
    answer = platform_overview(tenants, loads, simulated=False)
    counts = [(team["tenant"], team["servers"], team["jobs"], team["waiting"]) for team in answer["teams"]]
    assert counts == [("nlp", 2, 1, 1), ("vision", None, None, None)]
    assert "ada" not in str(answer) and "kim" not in str(answer)
