"""What waits, why, and what would let it go: a table of causes, and who sees whose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from aifactory_hub import constants
from aifactory_hub.domain.menu import TeamLoad
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.domain.queue_view import (
    HeldJob,
    QueueReader,
    UnplacedPod,
    Waiter,
    demands_of,
    not_known,
    queue_view,
    unplaced_pods,
)
from aifactory_hub.domain.quota import Holder, Quota, Usage
from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.tickets import Ticket, TicketState
from aifactory_hub.domain.wait_reasons import WaitCause, reason_of, reason_of_held_job

from ..support.tenants import LARGE, SMALL, make_catalogue, make_tenant

NOW = 1_800_000_000.0
ADMIN = QueueReader("rene", {}, platform=True)


def waits(name: str = "job-j9", kind: str = "job", user: str = "kim", **rest: Any) -> Ticket:
    owner = name.removeprefix("job-")
    given = {"devices": {SMALL: 1}, "filed_at": NOW - 60, "profile": "mig-1g.10gb", **rest}
    return Ticket("nlp", name, name, TicketState.QUEUED, kind, owner, user, **given)


def holds(kind: str, owner: str, user: str, ends_by: float | None = None, count: int = 1) -> Holder:
    return Holder(kind, owner, user, {SMALL: count}, "mig-1g.10gb", NOW - 99, ends_by)


def load(*holders: Holder, queue: tuple[Ticket, ...] = (), **rest: Any) -> TeamLoad:
    used = sum(each.devices[SMALL] for each in holders)
    given = {"borrowable": {SMALL: 0}, "cluster_used": {SMALL: used}, "carved": {SMALL: 7}, **rest}
    return TeamLoad(NOW, Usage({SMALL: used}, holders), queue=queue, **given)


TWO = (holds("job", "j1", "ada", NOW + 60), holds("server", "ben", "ben"))
FULL = replace(load(*TWO), queue=(waits(),))


@pytest.mark.parametrize(
    ("borrowing", "ticket", "seen", "cause", "says"),
    [
        (0, waits(), FULL, WaitCause.NO_BORROWING, "The team holds 2 of its own 2 mig-1g.10gb, and may borrow none."),
        (2, waits(), FULL, WaitCause.CLUSTER, "holds 2 of its own 2 mig-1g.10gb, and other teams leave none idle"),
        (
            2,
            waits(),
            load(*TWO, holds("job", "j2", "ada", count=2)),
            WaitCause.BORROWED,
            "and 2 borrowed, and may borr",
        ),
        (2, waits(), load(*TWO, borrowable=None), WaitCause.UNKNOWN, "what other teams leave idle is not known now"),
        (
            0,
            waits(devices={SMALL: 3}),
            load(),
            WaitCause.NEVER,
            "It asks for 3 of mig-1g.10gb, and the team's jobs may",
        ),
        (
            2,
            waits("ada", "server"),
            load(TWO[1], holds("server", "eve", "eve")),
            WaitCause.OWN,
            "notebooks hold 2 of the 2",
        ),
        (2, waits("ada", "server", devices={SMALL: 3}), load(), WaitCause.NEVER, "the team's notebooks may hold 2"),
        (0, waits(), load(cluster_used={SMALL: 7}), WaitCause.LENT, "Other teams hold what the team owns"),
        (0, waits(), load(queue=(waits("job-j8"), waits())), WaitCause.BEHIND, "1 request of the team for the same"),
        (0, waits(message="waits for a check"), load(), WaitCause.ENGINE, "The quota engine says: waits for a check"),
        (0, waits(), load(cluster_used=None), WaitCause.UNKNOWN, "why it waits is not known"),
        (0, waits(), TeamLoad(NOW, None), WaitCause.UNKNOWN, "the cluster did not say what is in use"),
    ],
)
def test_why_a_ticket_waits(borrowing: int, ticket: Ticket, seen: TeamLoad, cause: WaitCause, says: str) -> None:
    tenant = make_tenant("nlp", quota={SMALL: 2}, borrowing={SMALL: borrowing})
    found = reason_of(ticket, tenant, seen)
    assert (found.cause, says in found.why) == (cause, True), found
    assert found.why.endswith((".", "check")) and found.lets_go.endswith(".")


def test_requests_for_another_size_are_not_before_it() -> None:
    seen = load(queue=(waits("job-j8", devices={LARGE: 1}), waits()))
    assert reason_of(waits(), make_tenant("nlp", quota={SMALL: 2}), seen).cause is WaitCause.UNKNOWN


def test_who_would_let_it_go_is_named_those_who_end_first_first() -> None:
    held = (*TWO, *(holds("job", f"j{number}", "ada") for number in (5, 6, 7)))
    tenant = make_tenant("nlp", quota={SMALL: 5})
    found = reason_of(waits(), tenant, load(*held))
    assert found.lets_go == (
        "It starts when enough of these have ended: job j1 of ada, by 2027-01-15T08:01:00Z at the latest; "
        "server of ben; job j5 of ada; 2 more. Or the team may borrow."
    )


def test_notebooks_that_borrow_wait_like_jobs() -> None:
    quota = Quota({SMALL: 2}, {SMALL: 2}, notebooks_borrow=True)
    tenant = replace(make_tenant("nlp"), quota=quota)
    seen = load(TWO[1], holds("server", "eve", "eve"))
    assert reason_of(waits("ada", "server"), tenant, seen).cause is WaitCause.CLUSTER


@pytest.mark.parametrize(
    ("state", "reason", "cause", "says"),
    [
        ("HELD", "held by budget month: 500 of 500 GPU-hours", WaitCause.BUDGET, "It is held by budget month"),
        ("HELD", "held until security approves it", WaitCause.APPROVAL, "It is held until security approves it."),
        ("HELD", None, WaitCause.APPROVAL, "until somebody approves it"),
        ("PENDING", "the service can't reach the team", WaitCause.LATER, "the service can't reach the team."),
        ("PENDING", None, WaitCause.LATER, "why is not known"),
    ],
)
def test_why_a_job_without_a_ticket_waits(state: str, reason: str | None, cause: WaitCause, says: str) -> None:
    found = reason_of_held_job(state, reason)
    assert (found.cause, says in found.why) == (cause, True), found


def view(reader: QueueReader, *queue: Ticket, **rest: Any) -> list[Waiter]:
    tenants = {name: make_tenant(name) for name in ("nlp", "vision")}
    loads = {"nlp": load(queue=queue), "vision": TeamLoad(NOW, None)}
    return queue_view(tenants, loads, make_catalogue(), reader, **rest)


def test_the_longest_comes_first_whatever_it_waits_for() -> None:
    held = HeldJob("j3", "nlp", "ada", "mig-3g.40gb", "HELD", "held until security approves it", NOW - 90)
    pod = unplaced(since=NOW - 10)
    found = view(ADMIN, waits(), waits("job-j0", filed_at=None), held=[held], unplaced=[pod])
    assert [each.owner for each in found] == ["j3", "j9", "j5", "j0"]
    assert [each.reason.cause for each in found[:1]] == [WaitCause.APPROVAL]
    assert [(each.devices, each.admitted) for each in demands_of(found)] == [
        ({SMALL: 1}, False),
        ({SMALL: 1}, True),
        ({SMALL: 1}, False),
    ], "for what people hold no GPU is cut"


@pytest.mark.parametrize(
    ("reader", "users"),
    [
        (ADMIN, ["kim", "kim", "ada"]),
        (QueueReader("ada", {"nlp": Role.MEMBER}), [None, "kim", "ada"]),
        (QueueReader("kim", {"nlp": Role.VIEWER}), ["kim", "kim", None]),
        (QueueReader("grace", {"nlp": Role.ADMIN}), ["kim", "kim", "ada"]),
        (QueueReader("eve", {"vision": Role.ADMIN}), [None, None, None]),
    ],
)
def test_whose_it_is_is_for_those_who_see_it_on_the_teams_page(reader: QueueReader, users: list[str | None]) -> None:
    queue = (
        waits("kim", "server", filed_at=NOW - 3),
        waits(filed_at=NOW - 2),
        waits("ada", "server", "ada", filed_at=NOW - 1),
    )
    found = view(reader, *queue)
    assert [each.user for each in found] == users
    assert [each.owner is None for each in found] == [user is None for user in users]
    assert len(found) == 3, "that something waits is known, whose it is is not"


def test_teams_that_the_engine_did_not_speak_of_are_named() -> None:
    assert not_known(["nlp", "vision", "new"], {"nlp": load(), "vision": TeamLoad(NOW, None)}) == ["vision", "new"]


def unplaced(since: float | None = None) -> UnplacedPod:
    return UnplacedPod(pod(), "job", "j5", "ada", "nlp", "mig-1g.10gb", since)


def pod(**changes: Any) -> PodFact:
    labels = {constants.LABEL_OWNER_KIND: "job", constants.LABEL_OWNER: "j5r2", constants.LABEL_HUB: "test"}
    fact = PodFact("vc-nlp", "nlp", constants.JOBS_NAMESPACE, "p", "u", "p-x", "Pending", labels=labels)
    fact = fact._replace(devices=((SMALL.resource, 1),), unscheduled="0/3 nodes are available")
    return fact._replace(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"node": "gpu-1"},
        {"unscheduled": None},
        {"phase": "Failed"},
        {"deleting": True},
        {"devices": ()},
        {"labels": {}},
        {"vcluster": "nobody"},
    ],
)
def test_a_pod_waits_for_a_slice_that_has_a_ticket_and_no_node(changes: Mapping[str, Any]) -> None:
    tenants, loads = {"nlp": make_tenant("nlp")}, {"nlp": load(holds("job", "j5", "ada"))}
    (found,) = unplaced_pods([pod()], tenants, loads, "test")
    assert (found.owner, found.user, found.profile, found.since) == ("j5", "ada", "mig-1g.10gb", NOW - 99)
    assert unplaced_pods([pod(**changes)], tenants, loads, "test") == []
    (line,) = view(ADMIN, unplaced=[found])
    assert line.reason.why.endswith("The scheduler says: 0/3 nodes are available")
