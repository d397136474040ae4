"""What an API server sends, whole or spoiled, as typed objects."""

from __future__ import annotations

import json

import msgspec
import pytest

from aifactory_hub.clusters import ApiUnreachable
from aifactory_hub.clusters.answers import WholeLines
from aifactory_hub.clusters.decoding import Decoder, Unreadable
from aifactory_hub.clusters.host_pod import HostPod, fact_of
from aifactory_hub.domain.tenants import VCluster

from ..support.kube_objects import host_pod

POD = host_pod(VCluster("vc-nlp", "nlp"), "nb")


def line(kind: str, item: object) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def decoder() -> Decoder[HostPod]:
    return Decoder(HostPod, "the host")


def test_one_spoiled_event_costs_neither_those_before_nor_those_after_it() -> None:
    spoiled = {"metadata": {"name": "bad", "namespace": "vc-nlp"}, "spec": "none"}
    lines = line("ADDED", POD) + line("ADDED", spoiled) + b"\n" + line("MODIFIED", POD)
    first, second, third = decoder().events(memoryview(lines))
    assert first.type == "ADDED" and third.type == "MODIFIED" and isinstance(third.object, HostPod)
    assert isinstance(second.object, Unreadable) and second.object.metadata.name == "bad"
    assert "spec" in second.object.why


def test_a_line_that_is_no_event_is_no_answer_and_those_before_it_count() -> None:
    events = iter(decoder().events(memoryview(line("ADDED", POD) + b'{"kind": "Pod"}\n')))
    assert next(events).type == "ADDED"
    with pytest.raises(ApiUnreachable, match="the host answered with something that is not"):
        next(events)


def test_the_bookmark_of_a_real_server_is_no_spoiled_pod() -> None:
    bookmark = {"metadata": {"resourceVersion": "7", "creationTimestamp": None}, "spec": {"containers": None}}
    (event,) = decoder().events(memoryview(line("BOOKMARK", {**bookmark, "status": {}})))
    assert isinstance(event.object, HostPod) and event.object.metadata.resourceVersion == "7"


def test_the_end_of_a_watch_says_why() -> None:
    status = {"kind": "Status", "metadata": {}, "status": "Failure", "code": 410, "reason": "Expired", "message": "old"}
    lines = memoryview(line("ADDED", POD) + line("ERROR", status))
    assert [event.type for event in decoder().events(lines)] == ["ADDED", "ERROR"]
    end = decoder().end(lines)
    assert (end.status, end.reason, end.message) == (410, "Expired", "old")


def test_one_spoiled_object_does_not_spoil_a_list() -> None:
    items = [{**POD, "metadata": {**POD["metadata"], "uid": "u1"}}, {"metadata": {"name": 7}}, ["none"]]
    page = decoder().page(json.dumps({"metadata": {"resourceVersion": "9", "continue": "x"}, "items": items}).encode())
    good, *bad = page.items
    assert isinstance(good, HostPod) and fact_of(good).uid == "u1"
    assert all(isinstance(item, Unreadable) for item in bad)
    assert (page.version, page.more) == ("9", "x")


def test_a_list_without_items_is_empty_and_what_is_no_list_is_no_answer() -> None:
    assert decoder().page(b'{"metadata": {"resourceVersion": "9"}, "items": null}').items == []
    for data in (b"<html>", b"[]", b'{"items": []}', b"\xff"):
        with pytest.raises(ApiUnreachable):
            decoder().page(data)


def test_lines_are_whole_wherever_the_pieces_end() -> None:
    data = line("ADDED", POD) * 3
    for size in (1, 7, len(data) // 3, len(data)):
        whole = WholeLines()
        pieces = [data[i : i + size] for i in range(0, len(data), size)]
        assert b"".join(bytes(whole.feed(piece)) for piece in pieces) == data


def test_what_a_tenant_writes_into_its_pods_is_bounded_when_the_host_shows_it() -> None:
    status = {
        "containerStatuses": [{"name": "notebook", "state": {"waiting": {"reason": "x", "message": "\x1b[2J" * 9999}}}]
    }
    many = {f"label-{number}": "x" for number in range(500)}
    spoiled = {**POD, "metadata": {**POD["metadata"], "uid": "u", "labels": {**many, **POD["metadata"]["labels"]}}}
    data = json.dumps({**spoiled, "status": status}).encode()
    fact = fact_of(msgspec.json.decode(data, type=HostPod))
    prefixes = ("vcluster.loft.sh/", "aifactory-hub.io/")
    assert fact.labels == {key: value for key, value in POD["metadata"]["labels"].items() if key.startswith(prefixes)}
    assert fact.waiting_message and fact.waiting_message.isprintable() and len(fact.waiting_message) < 4200


@pytest.mark.parametrize("name", ["../secrets", "a\nb", "A", "x" * 300, "a/b"])
def test_a_pod_whose_annotations_hold_no_name_is_not_known(name: str) -> None:
    annotations = {**POD["metadata"]["annotations"], "vcluster.loft.sh/object-name": name}
    spoiled = {**POD, "metadata": {**POD["metadata"], "uid": "u", "annotations": annotations}}
    with pytest.raises(ValueError, match="no names"):
        fact_of(msgspec.json.decode(json.dumps(spoiled).encode(), type=HostPod))


def ended(at: str, name: str = "notebook") -> dict[str, object]:
    return {"name": name, "state": {"terminated": {"exitCode": 0, "finishedAt": at}}}


def test_what_a_pod_held_and_when_is_read_of_all_its_containers() -> None:
    limits = [{"cpu": "1", "nvidia.com/mig-1g.10gb": "1"}, {"nvidia.com/mig-1g.10gb": 1, "example.org/odd": "1k"}]
    conditions = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-22T10:00:00Z"},
        {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-22T10:09:00Z"},
    ]
    pod = {
        "metadata": {
            **POD["metadata"],
            "uid": "u1",
            "creationTimestamp": "2026-11-22T09:59:00Z",
            "deletionTimestamp": "2026-11-22T10:20:00Z",
            "deletionGracePeriodSeconds": 30,
        },
        "spec": {"containers": [{"name": f"c{n}", "resources": {"limits": each}} for n, each in enumerate(limits)]},
        "status": {
            "phase": "Succeeded",
            "conditions": conditions,
            "containerStatuses": [ended("2026-11-22T10:11:00Z", "c0"), ended("2026-11-22T10:12:00Z", "c1")],
        },
    }
    (event,) = decoder().events(memoryview(line("MODIFIED", pod)))
    assert isinstance(event.object, HostPod)
    fact = fact_of(event.object)
    assert fact.devices == (("nvidia.com/mig-1g.10gb", 2),)
    assert (fact.created_at, fact.scheduled_at) == ("2026-11-22T09:59:00Z", "2026-11-22T10:00:00Z")
    assert (fact.ended_at, fact.changed_at) == ("2026-11-22T10:12:00Z", "2026-11-22T10:09:00Z")
    assert (fact.delete_by, fact.grace, fact.lost_at) == ("2026-11-22T10:20:00Z", 30, None)


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Running", "containerStatuses": [ended("2026-11-22T10:11:00Z"), ended("2026-11-22T10:12:00Z", "s")]},
        {"phase": "Succeeded", "containerStatuses": [ended("2026-11-22T10:11:00Z")]},
        {"phase": "Failed", "containerStatuses": [ended("2026-11-22T10:11:00Z"), {"name": "s", "state": {}}]},
        {"phase": "Failed"},
    ],
)
def test_a_pod_has_ended_once_all_of_its_containers_say_when(status: dict[str, object]) -> None:
    pod = {"metadata": {**POD["metadata"], "uid": "u1"}, "spec": POD["spec"], "status": status}
    (event,) = decoder().events(memoryview(line("MODIFIED", pod)))
    assert isinstance(event.object, HostPod)
    assert fact_of(event.object).ended_at is None


@pytest.mark.parametrize(("reason", "lost"), [("DeletionByTaintManager", True), ("PreemptionByScheduler", False)])
def test_a_lost_node_is_told_by_why_the_host_deletes_its_pod(reason: str, lost: bool) -> None:
    conditions = [
        {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-22T10:09:00Z"},
        {"type": "DisruptionTarget", "status": "True", "reason": reason, "lastTransitionTime": "2026-11-22T10:14:00Z"},
    ]
    pod = {"metadata": {**POD["metadata"], "uid": "u1"}, "spec": POD["spec"], "status": {"conditions": conditions}}
    (event,) = decoder().events(memoryview(line("MODIFIED", pod)))
    assert isinstance(event.object, HostPod)
    assert fact_of(event.object).lost_at == ("2026-11-22T10:09:00Z" if lost else None)
