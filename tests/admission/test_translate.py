"""Kueue's objects as recorded from Kueue 0.19.2, read as tickets."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub import constants
from aifactory_hub.admission.translate import gone, is_ticket_of, job_for, position_of, ticket_of
from aifactory_hub.domain.tickets import TicketRequest, TicketState
from aifactory_profiles import Resources

from ..support.kube_objects import SMALL

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent.parent / "data" / "kueue_tickets.json").read_text())
H100 = {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
SHORT = f"insufficient unused quota for {SMALL.resource} in flavor h100-80gb, 1 more needed"
RECLAIMED = "Preempted to accommodate a workload due to reclamation within the cohort"


@pytest.mark.parametrize(
    ("recorded", "state", "active", "message"),
    [
        ("cpu-only", TicketState.ADMITTED, False, ""),
        ("admitted", TicketState.ADMITTED, False, ""),
        ("borrowing", TicketState.ADMITTED, False, ""),
        ("held", TicketState.ADMITTED, True, ""),
        ("waiting", TicketState.QUEUED, False, SHORT),
        ("reclaimer waits", TicketState.QUEUED, False, f"{SHORT}. Pending the preemption of 1 workload(s)"),
        ("evicted-held", TicketState.EVICTED, True, RECLAIMED),
        ("evicted-held 1s later", TicketState.EVICTED, True, RECLAIMED),
        ("evicted-let-go", TicketState.QUEUED, False, SHORT),
        ("evicted-unheld", TicketState.QUEUED, False, RECLAIMED),
        ("readmitted", TicketState.ADMITTED, False, ""),
        ("complete", TicketState.FINISHED, False, ""),
    ],
)
def test_each_recorded_state_is_read_right(recorded: str, state: TicketState, active: bool, message: str) -> None:
    entry = RECORDED[recorded]
    ticket = ticket_of("nlp", entry["job"], entry["workload"])
    assert (ticket.state, ticket.active, ticket.message) == (state, active, message)


def test_the_node_selector_is_what_kueue_chose_and_only_once_admitted() -> None:
    admitted, evicted = RECORDED["admitted"], RECORDED["evicted-held"]
    assert ticket_of("nlp", admitted["job"], admitted["workload"]).node_selector == H100
    assert ticket_of("nlp", evicted["job"], evicted["workload"]).node_selector == {}


def test_a_ticket_is_read_without_its_workload() -> None:
    for entry in RECORDED.values():
        with_it, without = ticket_of("nlp", entry["job"], entry["workload"]), ticket_of("nlp", entry["job"], None)
        assert without.state is with_it.state


def test_what_the_job_asks_is_what_it_was_asked_for() -> None:
    resources = Resources(4000, 2**30, {SMALL.resource: 2})
    request = TicketRequest(
        "nlp", "t1", "job", "j-1", "Ada Å@x", "mig-1g.10gb", resources, "batch", H100, flavor=SMALL.flavor
    )
    job = job_for(request, "hub-1")
    assert job["spec"]["suspend"] and job["spec"]["managedBy"] == constants.TICKET_MANAGED_BY
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpu-jobs"
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"] == {"requests": {SMALL.resource: "2"}, "limits": {SMALL.resource: "2"}}
    assert is_ticket_of(job, "hub-1") and not is_ticket_of(job, "hub-2")
    stored = copy.deepcopy(job)
    stored["metadata"]["uid"] = "u1"
    ticket = ticket_of("nlp", stored, None)
    assert (ticket.kind, ticket.owner, ticket.user, ticket.devices) == ("job", "j-1", "Ada Å@x", {SMALL: 2})


@pytest.mark.parametrize("user", ["ada", "Ada Å@x", "a" * 300, "../../x", "-", ""])
def test_every_label_is_one_that_kubernetes_takes(user: str) -> None:
    request = TicketRequest("nlp", "t1", "job", "j-1", user, "mig-1g.10gb", Resources(), "batch")
    for value in job_for(request, "hub-1")["metadata"]["labels"].values():
        assert len(value) <= 63
        assert value[0].isalnum() and value[-1].isalnum()
        assert value.replace("-", "").replace(".", "").replace("_", "").isascii()


def test_the_position_is_the_tickets_own() -> None:
    def item(kind: str, name: str, position: int) -> dict[str, Any]:
        return {"metadata": {"ownerReferences": [{"kind": kind, "name": name}]}, "positionInLocalQueue": position}

    pending = {"items": [item("Pod", "t1", 0), item("Job", "t2", 1), item("Job", "t1", 2)]}
    assert position_of("t1", [pending]) == 2
    assert position_of("t9", [pending, pending]) is None
    assert position_of("t3", [pending, {"items": [item("Job", "t3", 0)]}]) == 3, "notebooks are before it"
    assert position_of("t1", [{"items": None}]) is None


def test_a_gone_ticket_keeps_the_uid_that_was_followed() -> None:
    assert (gone("nlp", "t1", "u1").state, gone("nlp", "t1", "u1").uid) == (TicketState.GONE, "u1")
