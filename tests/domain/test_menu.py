"""What the menu says of a profile, from what was gathered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aifactory_hub.domain.borrowing import Reclaim
from aifactory_hub.domain.menu import Availability, ProfileAvailability, Share, TeamLoad, offers
from aifactory_hub.domain.menu_json import menu_answer
from aifactory_hub.domain.quota import Holder, Usage
from aifactory_hub.domain.tickets import Ticket, TicketState

from ..support.tenants import LARGE, SMALL, make_catalogue, make_tenant

NOW = 1_800_000_000.0
CATALOGUE = make_catalogue()


def holder(user: str, count: int = 1, kind: str = "server", **more: Any) -> Holder:
    return Holder(kind, user, user, {SMALL: count}, "mig-1g.10gb", **more)


def offered(
    *holders: Holder,
    quota: int = 2,
    borrowing: int = 0,
    borrow: bool = False,
    per_user: int | None = None,
    user: str | None = None,
    profile: str = "mig-1g.10gb",
    **team_load: Any,
) -> ProfileAvailability:
    tenant = make_tenant("nlp", quota={SMALL: quota}, borrowing={SMALL: borrowing})
    limits = {} if per_user is None else {SMALL: per_user}
    tenant = replace(tenant, quota=replace(tenant.quota, notebooks_borrow=borrow, per_user=limits))
    used = sum(h.devices[SMALL] for h in holders)
    gathered: dict[str, Any] = {"now": NOW, "usage": Usage({SMALL: used}, holders), "queue": (), "carved": {SMALL: 7}}
    seen = TeamLoad(**(gathered | team_load))
    return next(o.standing for o in offers(tenant, CATALOGUE, seen, user) if o.profile.name == profile)


def queued(user: str, kind: str = "server") -> Ticket:
    return Ticket("nlp", user, user, TicketState.QUEUED, kind, user, user, "mig-1g.10gb", devices={SMALL: 1})


def test_what_is_free_says_how_much_of_the_team_and_of_the_cluster() -> None:
    offer = offered(holder("ada"), cluster_used={SMALL: 3})
    assert offer.availability is Availability.FREE
    assert offer.team == Share(1, 2)
    assert offer.cluster == Share(4, 7)
    assert (offer.waiting, offer.reason, offer.advice) == (0, "", ())


def test_a_profile_without_a_gpu_is_always_free() -> None:
    assert offered(profile="cpu-small").availability is Availability.FREE


def test_what_others_leave_can_be_borrowed() -> None:
    offer = offered(holder("ada", 2), borrowing=1, borrowable={SMALL: 1}, borrow=True)
    assert offer.availability is Availability.FREE
    assert (offer.team, offer.borrowable, offer.free_now) == (Share(0, 2), 1, 1)
    assert offer.returnable
    assert not offered(
        holder("ada", 2), borrowing=1, borrowable={SMALL: 1}, borrow=True, reclaim=Reclaim.LOWER_PRIORITY
    ).returnable


def test_notebooks_that_do_not_borrow_wait_for_their_own_and_are_told_why() -> None:
    offer = offered(holder("ada", since=NOW, ends_by=NOW + 900), holder("bob"), borrowing=1, borrowable={SMALL: 1})
    assert offer.availability is Availability.QUEUE
    assert (offer.borrowable, offer.free_now) == (0, 0)
    assert offer.reason == "notebooks of nlp use 2 of its 2 1g.10gb, and only jobs borrow"


def test_a_notebook_has_its_own_while_jobs_of_its_team_borrow_and_keeps_it() -> None:
    offer = offered(holder("ada"), holder("bob", kind="job"), borrowing=1, borrowable={SMALL: 1})
    assert offer.availability is Availability.FREE
    assert (offer.team, offer.borrowable, offer.returnable) == (Share(0, 2), 1, False)


def test_no_job_is_said_to_make_room_that_a_notebook_may_not_have() -> None:
    offer = offered(holder("ada", 2), holder("bob", kind="job"), borrowing=1, borrowable={SMALL: 0})
    assert offer.reason == "notebooks of nlp use 2 of its 2 1g.10gb, and only jobs borrow"
    assert not any("bob" in text for text in offer.advice)
    assert [held.user for held in offer.held] == ["ada"]
    assert not offer.wait.known


def test_what_only_jobs_may_have_is_never_had_by_a_notebook() -> None:
    offer = offered(quota=0, borrowing=2, borrowable={SMALL: 2})
    assert offer.availability is Availability.JOBS
    assert offer.reason == "nlp has 0 1g.10gb of its own, and its notebooks do not borrow"


@pytest.mark.parametrize(
    ("holders", "queue"), [((holder("ada"),), ()), ((), (queued("ada"),))], ids=["has one", "waits for one"]
)
def test_who_has_her_share_is_told_so_and_nobody_else(holders: tuple[Holder, ...], queue: tuple[Ticket, ...]) -> None:
    offer = offered(*holders, quota=3, per_user=1, user="ada", queue=queue)
    assert offer.availability is Availability.LIMITED
    assert offer.reason == "one person may have 1 of 1g.10gb in nlp, and you have 1"
    assert offer.advice == ("stop one of yours first",)
    assert offered(*holders, quota=3, per_user=1, user="bob", queue=queue).availability is Availability.FREE


def test_what_can_not_be_borrowed_now_is_waited_for() -> None:
    offer = offered(holder("ada", 2), borrowing=1, borrowable={SMALL: 0}, borrow=True)
    assert offer.availability is Availability.QUEUE
    assert offer.reason == "nlp uses 2 of 2 1g.10gb"


def test_a_full_team_says_who_when_how_long_and_what_else() -> None:
    first = holder("ada", since=NOW - 600, ends_by=NOW + 1800)
    offer = offered(first, holder("bob", since=NOW - 60, ends_by=NOW + 7200), queue=(queued("eve"), queued("j", "job")))
    assert offer.availability is Availability.QUEUE
    assert offer.reason == "nlp uses 2 of 2 1g.10gb"
    assert offer.advice == ("a notebook of ada ends within 30 min and frees 1", "free now: cpu-small")
    assert offer.waiting == 1
    assert offer.wait.most == 7200
    assert [(h.user, h.count) for h in offer.held] == [("ada", 1), ("bob", 1)]


def test_a_job_gives_way_to_a_server() -> None:
    offer = offered(holder("ada"), holder("bob", kind="job", ends_by=NOW + 86400))
    assert offer.availability is Availability.QUEUE
    assert offer.wait.most == 60.0
    assert "a job of bob goes back to the queue for it" in offer.advice


def test_what_is_borrowed_is_told() -> None:
    offer = offered(holder("ada", 3), quota=2, borrowing=1, borrowable={SMALL: 0}, borrow=True)
    assert offer.reason == "nlp uses 3 of 3 1g.10gb, 1 of them borrowed"


def test_what_the_team_can_never_hold_says_so() -> None:
    offer = offered(profile="mig-3g.40gb")
    assert offer.availability is Availability.NEVER
    assert offer.reason == "nlp has no quota for 3g.40gb"
    assert offer.advice == ("free now: mig-1g.10gb", "ask a team admin for more quota")


@pytest.mark.parametrize(
    ("team_load", "availability", "reason"),
    [
        ({"usage": None}, Availability.UNKNOWN, "the cluster does not say now what is in use"),
        ({"unavailable": "it is paused"}, Availability.UNAVAILABLE, "it is paused"),
    ],
    ids=["the quota engine is away", "the vCluster is away"],
)
def test_what_is_not_known_is_never_a_number(
    team_load: dict[str, Any], availability: Availability, reason: str
) -> None:
    offer = offered(**team_load)
    assert (offer.availability, offer.reason) == (availability, reason)
    assert (offer.team, offer.cluster, offer.waiting, offer.free_now) == (None, None, None, None)


def test_an_unknown_neighbour_makes_only_the_cluster_unknown() -> None:
    offer = offered(holder("ada"), cluster_used=None)
    assert offer.availability is Availability.FREE
    assert offer.cluster == Share(None, 7)


def test_an_unknown_queue_has_no_length_and_no_wait() -> None:
    offer = offered(holder("ada", 2, ends_by=NOW + 60), queue=None)
    assert (offer.waiting, offer.wait.known) == (None, False)


def test_as_json_unknown_is_null() -> None:
    tenant = make_tenant("nlp", quota={SMALL: 2, LARGE: 1})
    answer = menu_answer(tenant, CATALOGUE, TeamLoad(now=NOW, usage=None), simulated=True)
    assert (answer["known"], answer["as_of"], answer["simulated"]) == (False, "2027-01-15T08:00:00Z", True)
    small = next(p for p in answer["profiles"] if p["profile"] == "mig-1g.10gb")
    assert small["gpu"] == {
        "model": "h100-80gb",
        "slice": "1g.10gb",
        "words": "1/7 of an H100, 10 GB",
        "usable_gib": "9.75",
    }
    assert (small["availability"], small["price_per_hour"]) == ("unknown", "0.40")
    unknown = ("free_now", "team", "borrowable", "cluster", "waiting", "wait")
    assert {name: small[name] for name in unknown} == dict.fromkeys(unknown)  # type: ignore[literal-required]
