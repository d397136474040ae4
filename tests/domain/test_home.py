"""What the Home page says of servers and of what is free: the decisions alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from aifactory_hub.constants import KIND_JOB
from aifactory_hub.domain.home import (
    MOST_LINES,
    SOON,
    STALE,
    HomeServer,
    KnownLoads,
    ServerFacts,
    ServerState,
    home_servers,
    next_server,
    server_name,
    server_state,
    teams_free,
)
from aifactory_hub.domain.menu import Availability, TeamLoad
from aifactory_hub.domain.quota import Holder, Usage
from aifactory_hub.domain.server_ends import NOTICE, Notice
from aifactory_profiles import Catalogue

from ..support.tenants import SMALL, make_catalogue, make_tenant

NOW = 1_800_000_000.0
HOUR = 3600.0
TENANTS = {name: make_tenant(name, quota={SMALL: 2}) for name in ("nlp", "vision")}
CATALOGUE = make_catalogue()
RUNNING = ServerFacts("", "", ServerState.RUNNING, "nlp", "mig-1g.10gb", started=NOW - 2 * HOUR)


def load(*holders: Holder, known: bool = True, **given: Any) -> TeamLoad:
    return TeamLoad(NOW, Usage({SMALL: len(holders)}, holders) if known else None, queue=(), **given)


def holder(owner: str = "ada", **given: Any) -> Holder:
    return Holder(given.pop("kind", "server"), owner, "ada", {SMALL: 1}, "mig-1g.10gb", **given)


def shown(server: ServerFacts, nlp: TeamLoad | None, catalogue: Catalogue = CATALOGUE) -> HomeServer:
    loads = None if nlp is None else {"nlp": nlp}
    return home_servers([server], "ada", TENANTS, catalogue, KnownLoads(("nlp",), loads), NOW)[0]


@pytest.mark.parametrize(
    ("active", "ready", "pending", "state"),
    [
        (True, True, None, ServerState.RUNNING),
        (True, False, "spawn", ServerState.STARTING),
        (True, False, "check", ServerState.STARTING),
        (True, True, "stop", ServerState.STOPPING),
        (False, False, None, ServerState.STOPPED),
    ],
)
def test_the_state_is_what_jupyterhub_says(active: bool, ready: bool, pending: str | None, state: ServerState) -> None:
    assert server_state(active=active, ready=ready, pending=pending) is state


def test_cost_counts_from_the_admission_not_from_the_wait_in_the_queue() -> None:
    server = shown(RUNNING, load(holder(since=NOW - HOUR)))
    assert (server.since, server.runs) == (NOW - HOUR, "1 h")
    assert (server.cost, server.rate) == ("0.40 EUR", "0.40 EUR an hour")
    assert (server.team, server.size) == ("Nlp", "1/7 of an H100, 10 GB")


@pytest.mark.parametrize(
    "nlp",
    [
        None,
        load(known=False),
        load(),
        load(holder("ada--second", since=NOW - HOUR)),
        load(holder(kind=KIND_JOB, since=NOW - HOUR)),
        load(holder(since=None)),
    ],
    ids=["no answer", "usage unknown", "nothing held", "another server's", "a job's", "no time"],
)
def test_a_cost_that_is_not_known_is_not_zero(nlp: TeamLoad | None) -> None:
    server = shown(RUNNING, nlp)
    assert server.cost == "unknown"
    assert server.since == RUNNING.started


def test_without_a_price_no_cost_is_made_up() -> None:
    profile = replace(CATALOGUE.profiles["mig-1g.10gb"], price_per_hour=None)
    free = replace(CATALOGUE, profiles={"mig-1g.10gb": profile})
    server = shown(RUNNING, load(holder(since=NOW - HOUR)), free)
    assert (server.cost, server.rate) == ("no price set", "")


def test_a_profile_and_a_team_that_are_gone_are_shown_by_name() -> None:
    server = shown(replace(RUNNING, team="old", profile="mig-9g"), load())
    assert (server.team, server.size, server.cost) == ("old", "mig-9g", "unknown")


def test_what_does_not_run_costs_nothing_and_ends_at_no_time() -> None:
    server = shown(replace(RUNNING, state=ServerState.STOPPED, idle_at=NOW + 60), load())
    assert (server.since, server.runs, server.cost, server.rate, server.ends) == (None, "", "", "", None)


def told(until: float) -> Mapping[str, Any]:
    return {NOTICE: Notice("somebody needs it", until).to_state()}


@pytest.mark.parametrize(
    ("facts", "at", "why", "soon"),
    [
        ({"idle_at": NOW + 2 * HOUR}, NOW + 2 * HOUR, "unless it is used before", False),
        ({"idle_at": NOW + SOON}, NOW + SOON, "unless it is used before", True),
        ({"idle_at": NOW + HOUR, "leaves_at": NOW + 60}, NOW + 60, "because you are not in its team any more", True),
        ({"idle_at": NOW + HOUR, "stored": told(NOW + 30)}, NOW + 30, "to give its quota back", True),
        ({"idle_at": NOW + HOUR, "budget_ends_at": NOW + 60}, NOW + 60, "by a budget that is used up", True),
    ],
)
def test_the_first_end_that_is_known_is_told(facts: dict[str, Any], at: float, why: str, soon: bool) -> None:
    ends = shown(replace(RUNNING, **facts), load()).ends
    assert ends is not None
    assert (ends.at, ends.why, ends.soon) == (at, why, soon)


def test_a_time_limit_of_the_ticket_is_an_end() -> None:
    ends = shown(RUNNING, load(holder(since=NOW, ends_by=NOW + HOUR))).ends
    assert ends is not None
    assert ends.at == NOW + HOUR


def test_no_end_is_made_up() -> None:
    assert shown(RUNNING, load(holder(since=NOW))).ends is None


def test_what_runs_comes_before_what_is_stopped() -> None:
    stopped, later = replace(RUNNING, state=ServerState.STOPPED), replace(RUNNING, name="b")
    servers = home_servers([stopped, later], "ada", TENANTS, CATALOGUE, KnownLoads(), NOW)
    assert [server.name for server in servers] == ["b", ""]


# What is free


def free(nlp: TeamLoad | None, usable: tuple[str, ...] = ("nlp",), now: float = NOW) -> Any:
    known = KnownLoads(usable, None if nlp is None else {"nlp": nlp})
    return teams_free(known, TENANTS, CATALOGUE, "ada", now)


def test_free_slices_are_those_of_the_menu() -> None:
    (team,) = free(load(holder()))
    lines = {line.profile: line.badge for line in team.lines}
    assert lines["mig-1g.10gb"] == "1 free now"
    assert lines["cpu-small"] == "free"
    assert "mig-3g.40gb" not in lines  # the team can never have one
    assert (team.as_of, team.stale, team.trouble) == (NOW, "", "")


@pytest.mark.parametrize("nlp", [None, load(known=False)])
def test_free_slices_that_are_not_known_are_unknown_and_never_zero(nlp: TeamLoad | None) -> None:
    (team,) = free(nlp)
    assert "0 free" not in str(team)
    assert team.as_of is None
    assert team.trouble if nlp is None else {line.badge for line in team.lines} == {"unknown now"}


def test_old_numbers_say_how_old_they_are() -> None:
    (team,) = free(load(), now=NOW + STALE + 60)
    assert team.stale == "These numbers are 2 min old."
    assert not free(load(), now=NOW + STALE)[0].stale


def test_a_team_whose_vcluster_is_away_says_so() -> None:
    (team,) = free(load(unavailable="its vCluster does not answer, for 3 min"))
    assert team.trouble == "Nothing can be started in this team now: its vCluster does not answer, for 3 min."
    assert {line.availability for line in team.lines} == {Availability.UNAVAILABLE}


def test_teams_of_others_and_removed_ones_are_not_shown() -> None:
    assert free(load(), usable=("gone",)) == ()
    assert [team.name for team in free(load())] == ["nlp"]


def test_a_long_menu_is_cut_and_says_so() -> None:
    small = CATALOGUE.profiles["cpu-small"]
    many = {f"cpu-{number}": replace(small, name=f"cpu-{number}", slice=f"s{number}") for number in range(30)}
    tenant = replace(TENANTS["nlp"], profiles=tuple(many))
    (team,) = teams_free(
        KnownLoads(("nlp",), {"nlp": load()}), {"nlp": tenant}, replace(CATALOGUE, profiles=many), "ada", NOW
    )
    assert (len(team.lines), team.more) == (MOST_LINES, 30 - MOST_LINES)


# What "Start" is for


def servers(**states: ServerState) -> list[ServerFacts]:
    return [ServerFacts(name.replace("_", "-").removeprefix("default"), "", state) for name, state in states.items()]


RUNS, STOPPED = ServerState.RUNNING, ServerState.STOPPED


@pytest.mark.parametrize(
    ("mine", "named", "limit", "expected"),
    [
        ([], True, 0, ""),
        (servers(default=STOPPED, server_2=RUNS), True, 1, ""),
        (servers(default=RUNS), True, 0, "server-2"),
        (servers(default=ServerState.STARTING), True, 1, "server-2"),
        (servers(default=RUNS), False, 0, None),
        (servers(default=RUNS, server_2=RUNS), True, 0, "server-3"),
        (servers(default=RUNS, server_2=RUNS), True, 1, None),
        (servers(default=RUNS, server_2=STOPPED), True, 1, "server-2"),
        (servers(default=RUNS, mine=RUNS), True, 2, "server-2"),
    ],
)
def test_start_is_for_the_default_server_or_for_the_next(
    mine: list[ServerFacts], named: bool, limit: int, expected: str | None
) -> None:
    assert next_server(mine, named=named, limit=limit) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("training", "training"),
        ("  My  Training!! ", "my-training"),
        ("2nd", "n-2nd"),
        ("../../x?y#z", "x-y-z"),
        ("--", None),
        ("", None),
        ("日本", None),
        ("a" * 29 + "-b", "a" * 29),
    ],
)
def test_a_name_for_people_becomes_one_for_addresses(text: str, name: str | None) -> None:
    assert server_name(text) == name
