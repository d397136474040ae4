"""Long lists of tickets: only what counts is read of them, and it says the same."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.admission import AdmissionUnavailable
from aifactory_hub.admission.ticket_reader import TicketReader
from aifactory_hub.admission.translate import JOB_UID_LABEL, ticket_of
from aifactory_hub.clusters import ApiUnreachable
from aifactory_hub.domain.tickets import Ticket

from ..support.kube_server import kube_server
from .test_kueue_faults import JOBS, ask
from .test_kueue_faults import kueue as kueue_on

# Recorded from Kueue: a Job and its Workload by what happened to them.
RECORDED = json.loads((Path(__file__).parent.parent / "data/kueue_tickets.json").read_text())


def listed(items: list[dict[str, Any]], **more: object) -> bytes:
    return json.dumps({"metadata": {"resourceVersion": "1"}, "items": items, **more}).encode()


@pytest.mark.parametrize("recorded", RECORDED)
def test_a_list_says_of_each_ticket_what_the_whole_objects_say(recorded: str) -> None:
    job, workload = RECORDED[recorded]["job"], RECORDED[recorded]["workload"]
    stranger = {**job, "metadata": {**job["metadata"], "uid": "another"}}
    reader = TicketReader("nlp", "host")
    found = reader.read(listed([stranger, job]), listed([{"metadata": 5}, workload]))
    assert found == [ticket_of("nlp", stranger, None), ticket_of("nlp", job, workload)]


@pytest.mark.parametrize(
    "jobs", [b"<html>", b"{}", listed([{"metadata": {"name": "t1"}, "spec": 5}])], ids=["page", "no list", "job"]
)
def test_what_can_t_be_read_is_no_shorter_list(jobs: bytes) -> None:
    with pytest.raises(ApiUnreachable):
        TicketReader("nlp", "host").read(jobs, listed([]))


async def test_a_ticket_that_can_t_be_read_makes_none_of_the_others_look_gone() -> None:
    async with kube_server() as server, kueue_on(server) as admission:
        await admission.request(ask())
        assert [ticket.name for ticket in await admission.tickets("nlp")] == ["t1"]
        labels = next(job["metadata"]["labels"] for job in server.objects(JOBS))
        server.put(JOBS, {"metadata": {"name": "odd", "labels": labels}, "spec": {"template": []}})
        with pytest.raises(AdmissionUnavailable, match="can't be read"):
            await admission.tickets("nlp")


async def test_others_are_served_while_a_list_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read_in: list[threading.Thread] = []
    whole = TicketReader.read

    def read(reader: TicketReader, *lists: bytes) -> list[Ticket]:
        read_in.append(threading.current_thread())
        return whole(reader, *lists)

    monkeypatch.setattr(TicketReader, "read", read)
    async with kube_server() as server, kueue_on(server) as admission:
        await admission.tickets("nlp")
    assert len(read_in) == 1
    assert read_in[0] is not threading.current_thread()


def test_what_is_as_it_was_is_not_read_anew_and_what_changed_is() -> None:
    waits, held = RECORDED["waiting"], RECORDED["held"]
    job = {**waits["job"], "metadata": {**waits["job"]["metadata"], "uid": "u1", "resourceVersion": "7"}}
    labels = {JOB_UID_LABEL: "u1"}

    def workload(version: str, status: Any) -> dict[str, Any]:
        return {"metadata": {"labels": labels, "resourceVersion": version}, "status": status}

    reader = TicketReader("nlp", "host")
    first = reader.read(listed([job]), listed([workload("1", waits["workload"]["status"])]))
    again = reader.read(listed([job]), listed([workload("1", waits["workload"]["status"])]))
    assert again[0] is first[0]
    explained = reader.read(listed([job]), listed([workload("2", {"conditions": []})]))
    assert (first[0].message != "", explained[0].message) == (True, "")
    now = {**job, "metadata": {**job["metadata"], "resourceVersion": "8"}, "status": held["job"]["status"]}
    assert reader.read(listed([now]), listed([]))[0].active
    assert reader.read(listed([]), listed([])) == []
    assert reader.read(listed([job]), listed([workload("1", waits["workload"]["status"])])) == first
