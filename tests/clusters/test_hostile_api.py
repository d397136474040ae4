"""A team's API server that answers whatever it likes: every call ends in time, in bounds, and in words.

Each answer of the table meets
each call of KubeApi; what may come out is an object of the right types, ApiError or ApiUnreachable, and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aifactory_hub.clusters import ApiError, ApiNonsense, ApiUnreachable, KubeApi
from aifactory_hub.clusters.answers import Limits
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.clusters.tenant_objects import EventObject, RunObject, Template, VirtualPod

from ..support.hostile_api import ANSWERS, MIB, hostile, whole
from ..support.kube_server import kube_server

PODS = "/api/v1/namespaces/jobs/pods"
# As in production in all but the size, so that a test that sends more takes a moment only.
LIMITS = Limits(answer=4 * MIB, together=8 * MIB, watch=8 * MIB)
# Seconds that a call may take here, and one turn of the event loop while it does.
TIMEOUT = 0.5
LONGEST_TURN = 1.0
# The client's share of memory: the server's own pieces are small.
MOST_MEMORY = 96 * MIB

# Calls whose answers were decoded: those of the others are decoded by who asked.
TYPED = ("object", "list of pods", "list of events", "list of templates", "create_object")
Call = Callable[[KubeApi], Awaitable[Any]]


async def _watch(api: KubeApi) -> int:
    return sum([len(lines) async for lines in api.watch(PODS, seconds=0, silence=TIMEOUT)])


CALLS: dict[str, Call] = {
    "get": lambda api: api.get(PODS),
    "read": lambda api: api.read(PODS),
    "object": lambda api: api.object(f"{PODS}/a", RunObject),
    "list of pods": lambda api: api.list(PODS, VirtualPod),
    "list of events": lambda api: api.list(PODS, EventObject, {"fieldSelector": "involvedObject.name=a"}, most=200),
    "list of templates": lambda api: api.list(PODS, Template),
    "text": lambda api: api.text("/readyz"),
    "end of text": lambda api: api.end_of_text(f"{PODS}/a/log", keep=1000),
    "create": lambda api: api.create(PODS, {}),
    "create_object": lambda api: api.create_object(PODS, {}, RunObject),
    "merge_patch": lambda api: api.merge_patch(f"{PODS}/a", {}),
    "apply": lambda api: api.apply(f"{PODS}/a", {}, manager="m"),
    "delete": lambda api: api.delete(f"{PODS}/a"),
    "watch": _watch,
}


@asynccontextmanager
async def turns() -> AsyncIterator[list[float]]:
    """How long the turns of the event loop take meanwhile, in seconds."""
    seen: list[float] = [0.0]

    async def look() -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            seen.append(now - before - 0.01)
            before = now

    task = asyncio.create_task(look())
    try:
        yield seen
    finally:
        task.cancel()


def memory() -> int:
    """The most that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def text_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            # Base64 of at most 2 MiB, which clusters.packed reads.
            yield from () if key == "compressedNodes" else text_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from text_in(each)


@pytest.mark.parametrize("answer", ANSWERS)
async def test_whatever_a_team_s_api_answers_each_call_ends_in_bounds_and_in_words(answer: str) -> None:
    before = memory()
    with hostile(ANSWERS[answer]) as url:
        apis = {name: KubeApi(Credential(url), timeout=TIMEOUT, limits=LIMITS) for name in CALLS}
        async with turns() as seen:
            await asyncio.gather(*(ends_in_words(name, api) for name, api in apis.items()))
    assert max(seen) < LONGEST_TURN
    assert memory() - before < MOST_MEMORY


async def ends_in_words(name: str, api: KubeApi) -> None:
    began = time.monotonic()
    try:
        result = await CALLS[name](api)
    except (ApiError, ApiUnreachable) as error:
        assert str(error).isprintable() and len(str(error)) < 1000, (name, error)
    else:
        if name in TYPED:
            assert all(text.isprintable() and len(text) < 5000 for text in text_in(result)), name
    finally:
        await api.close()
    # Calls run side by side here, and pages are calls of their own.
    assert time.monotonic() - began < 12 * TIMEOUT, name


@pytest.mark.parametrize(
    ("answer", "call", "words"),
    [
        ("gzip that nobody asked for", "get", "answered in the encoding 'gzip', which was not asked for"),
        ("a body without end", "object", "answered with more than 4194304 bytes"),
        ("a body that drips", "get", r"did not answer within 0\.5 s"),
        ("deep arrays", "get", "not JSON"),
        ("deep in a field that is not", "object", "nested too deep"),
        ("a name that is a path", "object", "metadata.name"),
        ("a huge number", "object", "status.ready"),
        ("302 to somewhere", "get", "answered 302"),
        ("a million items", "list of pods", "more than 400000 values"),
        ("a page that continues with a megabyte", "list of pods", "continues a list"),
    ],
)
async def test_it_is_said_what_was_wrong(answer: str, call: str, words: str) -> None:
    with hostile(ANSWERS[answer]) as url:
        api = KubeApi(Credential(url), timeout=TIMEOUT if "drips" in answer else 30, limits=LIMITS)
        with pytest.raises(ApiUnreachable, match=words):
            await CALLS[call](api)
        await api.close()


async def test_many_calls_at_once_take_no_more_than_the_server_may_send_in_all() -> None:
    body = b'{"metadata":{},"items":[]' + b" " * (3 * MIB) + b"}"
    with hostile(whole(body)) as url:
        api = KubeApi(Credential(url), timeout=60, limits=LIMITS)
        before = memory()
        answers = await asyncio.gather(*(api.read(PODS) for _ in range(40)), return_exceptions=True)
        assert any(isinstance(each, ApiNonsense) for each in answers)
        assert all(isinstance(each, ApiNonsense | bytes) for each in answers)
        kept = sum(len(each) for each in answers if isinstance(each, bytes))
        assert memory() - before < kept + MOST_MEMORY
        assert json.loads(await api.read(PODS)), "afterwards there is room again"
        await api.close()


async def test_a_log_keeps_its_end_however_long_it_is() -> None:
    lines = b"".join(b"line %d\n" % i for i in range(200_000))
    with hostile(whole(lines)) as url:
        api = KubeApi(Credential(url), timeout=60, limits=LIMITS)
        assert (await api.end_of_text(f"{PODS}/a/log", keep=24)).endswith("line 199998\nline 199999\n")
        assert await api.end_of_text(f"{PODS}/a/log", keep=0) == ""
        await api.close()


async def test_large_objects_come_on_smaller_pages() -> None:
    """Fifty objects of 200 KB, of which a page of a hundred does not fit, are all read."""
    pad = "x" * 200_000
    async with kube_server() as server:
        for number in range(50):
            server.put(PODS, {"metadata": {"name": f"pod-{number}"}, "spec": {"pad": pad}})
        api = KubeApi(Credential(server.url), timeout=60, limits=LIMITS)
        assert len(await api.list(PODS, VirtualPod)) == 50
        assert len(await api.list(PODS, VirtualPod, most=7)) == 7
        asked = [int(query["limit"]) for _, _, query in server.requests]
        assert asked[0] == 100 and set(asked[1:-1]) == {12} and asked[-1] == 7
        await api.close()
