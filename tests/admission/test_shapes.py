"""Long lists of tickets: only what counts is read of them, and it says the same."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.admission import AdmissionUnavailable, kueue
from aifactory_hub.admission.shapes import read_tickets
from aifactory_hub.admission.translate import ticket_of
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
    found = read_tickets("nlp", "host", listed([stranger, job]), listed([{"metadata": 5}, workload]))
    assert found == [ticket_of("nlp", stranger, None), ticket_of("nlp", job, workload)]


@pytest.mark.parametrize("jobs", [b"<html>", listed([{"metadata": {"name": "t1"}, "spec": 5}])], ids=["page", "job"])
def test_what_can_t_be_read_is_no_shorter_list(jobs: bytes) -> None:
    with pytest.raises(ApiUnreachable):
        read_tickets("nlp", "host", jobs, listed([]))


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

    def read(*given: Any) -> list[Ticket]:
        read_in.append(threading.current_thread())
        return read_tickets(*given)

    monkeypatch.setattr(kueue, "read_tickets", read)
    async with kube_server() as server, kueue_on(server) as admission:
        await admission.tickets("nlp")
    assert len(read_in) == 1
    assert read_in[0] is not threading.current_thread()
