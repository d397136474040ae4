"""What API servers send, spoiled at random: it is decoded to bounded plain values, or refused with ApiNonsense.

Seeds are in ``api_answers``. A few seconds in every run of the tests; AIFACTORY_FUZZ_SECONDS=600 goes on for longer,
and AIFACTORY_FUZZ_SEED makes a run again.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.clusters import ApiError, ApiUnreachable
from aifactory_hub.clusters.answers import WholeLines, read_status
from aifactory_hub.clusters.decoding import Decoder, Unreadable, decode_list, decode_object
from aifactory_hub.clusters.host_pod import HostPod, fact_of
from aifactory_hub.clusters.listwatch import UNDECODABLE
from aifactory_hub.clusters.tenant_objects import (
    AnyObject,
    EventObject,
    NotebookPod,
    RunObject,
    Template,
    VirtualPod,
)
from aifactory_hub.domain.blocked_pods import read_events, wait_of_events
from aifactory_hub.engines.argo_workflow import translate as argo
from aifactory_hub.engines.jobset import translate as jobset
from aifactory_hub.engines.kubernetes_job import translate as kubernetes_job
from aifactory_hub.engines.objects import gone_for_good, read_virtual_pod, seen_run
from aifactory_hub.engines.trainjob import translate as trainjob

SECONDS = float(os.environ.get("AIFACTORY_FUZZ_SECONDS", "3"))
SEED = int(os.environ.get("AIFACTORY_FUZZ_SEED", "15"))
CORPUS = [path.read_bytes() for path in sorted((Path(__file__).parent / "api_answers").glob("*.json"))]
# What a hostile server puts in place of a value.
VALUES: list[Any] = [
    None, True, 0, -1, 2**31, 2**63, 10**400, 1e308, 1.5, "", "a", "../..", "\x00\x1b[2J\u202e", "9" * 500,
    "2026-99-99", "2026-01-01T00:00:00", "0001-01-01T00:00:00Z", [], [None], {}, {"": None}, [[[[]]]], "\ud800",
]  # fmt: skip
TOKENS = [b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\n", b"\xff", b"null", b"1e999", b"[" * 3000, b"-"]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in steps:
        found += _paths(each, (*path, key))
    return found


def spoiled_value(seed: bytes, chance: random.Random) -> bytes:
    """One value of the document is another one, is gone, or is there many times."""
    document = json.loads(seed)
    path = chance.choice(_paths(document)[1:])
    place = document
    for step in path[:-1]:
        place = place[step]
    if isinstance(place, list) and chance.random() < 0.3:
        place[path[-1] :] = place[path[-1] :] * chance.choice([0, 2, 600])
    elif isinstance(place, dict) and chance.random() < 0.2:
        del place[path[-1]]
    else:
        place[path[-1]] = chance.choice(VALUES)
    return json.dumps(document).encode()


def spoiled_bytes(seed: bytes, chance: random.Random) -> bytes:
    """Bytes of the document are others, are gone, or come from another document."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[at:at] = chance.choice(TOKENS)
            case 1:
                del data[at : at + chance.randint(1, 20)]
            case 2:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case _:
                other = chance.choice(CORPUS)
                data[at:] = other[chance.randrange(len(other)) :]
    return bytes(data)


def _of_a_run(data: bytes) -> None:
    run = decode_object(data, RunObject, "s")
    for read in (kubernetes_job.read_run, jobset.read_run, trainjob.read_run):
        _is_small(read(run, []))
    _is_small(argo.read_run(run))


def _of_a_pod(data: bytes) -> None:
    pod = decode_object(data, VirtualPod, "s")
    fact = read_virtual_pod(pod)
    gone_for_good([pod], NOW)
    _is_small(kubernetes_job.read_run({"metadata": {}, "status": {}}, [fact]))
    argo.step_of_pod(pod)


def _of_a_watch(data: bytes) -> None:
    lines = WholeLines().feed(data + b"\n")
    decoder = Decoder(HostPod, "s")
    for event in decoder.events(lines):
        if event.type == "ERROR":
            decoder.end(lines)
        if not isinstance(event.object, Unreadable):
            _fact(event.object)


def _of_a_host_s_list(data: bytes) -> None:
    for item in Decoder(HostPod, "s").page(data).items:
        if not isinstance(item, Unreadable):
            _fact(item)


def _fact(pod: HostPod) -> None:
    with contextlib.suppress(*UNDECODABLE):  # the watch skips it
        _is_small(fact_of(pod))


def _of_a_list(data: bytes) -> None:
    events, _ = decode_list(data, EventObject, "s")
    _is_small(wait_of_events(read_events(events, "job-j0123456789ab")))
    decode_list(data, VirtualPod, "s")


def _of_an_object(data: bytes) -> None:
    seen_run(decode_object(data, AnyObject, "s"), NOW)
    decode_object(data, NotebookPod, "s")


def _of_a_template(data: bytes) -> None:
    template = decode_object(data, Template, "s")
    _is_small(argo.read_published("argo-workflow", template))
    _is_small(trainjob.read_runtime("trainjob", template))


def _of_an_error(data: bytes) -> None:
    assert all(text.isprintable() and len(text) < 600 for text in read_status(data))


READERS: dict[str, Callable[[bytes], None]] = {
    "run": _of_a_run,
    "pod": _of_a_pod,
    "watch": _of_a_watch,
    "host's list": _of_a_host_s_list,
    "list": _of_a_list,
    "object": _of_an_object,
    "template": _of_a_template,
    "error": _of_an_error,
}


def _is_small(value: object) -> None:
    assert len(repr(value)) < 2_000_000


@pytest.mark.parametrize("reader", READERS)
def test_whatever_is_sent_is_read_in_bounds_or_refused(reader: str) -> None:
    read, chance = READERS[reader], random.Random(f"{SEED} {reader}")
    end = time.monotonic() + SECONDS / len(READERS)
    tried = refused = 0
    slowest = 0.0
    while time.monotonic() < end or tried < 200:
        seed = chance.choice(CORPUS)
        data = spoiled_value(seed, chance) if chance.random() < 0.6 else spoiled_bytes(seed, chance)
        began = time.process_time()
        try:
            read(data)
        except (ApiUnreachable, ApiError) as error:
            assert str(error).isprintable() and len(str(error)) < 1000
            refused += 1
        except Exception:
            print(f"{reader}: {data!r}")
            raise
        slowest = max(slowest, time.process_time() - began)
        tried += 1
    assert slowest < 1
    # Neither everything nor nothing: else it tries nothing.
    assert reader == "error" or 0 < refused < tried


@pytest.mark.parametrize("reader", READERS)
def test_the_corpus_itself_is_read(reader: str) -> None:
    good = 0
    for seed in CORPUS:
        try:
            READERS[reader](seed)
            good += 1
        except (ApiUnreachable, ApiError):
            pass
    assert good
