"""Samples from Prometheus, by its HTTP API: aggregates over the time that is looked at, so answers stay small.

https://prometheus.io/docs/prometheus/latest/querying/api/ has the form of answers. Each name is asked for by itself,
because functions over time drop a series' name, and with it its unit.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import aiohttp
import msgspec

from ..domain.gpu_metrics import Exported, Signal, in_unit, names_of
from ..domain.idle import EDGE, MARGIN
from ..domain.pod_samples import PodPlace, PodSamples, Reading, Series, samples_of
from ..registry.model import TelemetryConfig
from .base import TelemetryUnavailable

# Seconds for one answer, bytes of one, and series of one that are taken.
TIMEOUT = 20.0
LARGEST = 64 * 2**20
MOST_SERIES = 200_000
_AT_ONCE = 4
# Seconds over which slices are looked at: the exporter does not name the pod of a slice at every look.
_SLICES_OF = 120
_SLICES = "count by (instance, UUID, GPU_I_ID, GPU_I_PROFILE)"
_PODS = "sum by (namespace, pod)"


class _Sample(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct):
    resultType: str
    result: list[_Sample]


class _Answer(msgspec.Struct):
    status: str
    data: _Data | None = None
    error: str = ""


class Prometheus:
    """See Telemetry. ``get_config`` gives the site's settings as they are now."""

    def __init__(self, get_config: Callable[[], TelemetryConfig]) -> None:
        self._get_config = get_config
        self._client: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def read(self, pods: Mapping[str, PodPlace], after: float) -> Mapping[str, PodSamples]:
        """See Telemetry."""
        config = self._get_config()
        if config.prometheus is None:
            raise TelemetryUnavailable("telemetry.prometheus is not set in tenants.yaml")
        asked = questions(config, after)
        found = await asyncio.gather(*(self._series(config, signal, texts) for signal, texts in asked.values()))
        reading = Reading(expected=expected_samples(config, after), **dict(zip(asked, found, strict=True)))
        # In a thread, as the reading of answers: thousands of pods would hold the event loop up.
        return await asyncio.to_thread(samples_of, reading, pods)

    async def slices(self) -> list[Series]:
        """The series of all slices and uncut GPUs of the last minutes, each with the pod that holds it if there is one.

        Raises TelemetryUnavailable.
        """
        config = self._get_config()
        if config.prometheus is None:
            raise TelemetryUnavailable("telemetry.prometheus is not set in tenants.yaml")
        return await self._series(config, None, slice_questions(config))

    async def close(self) -> None:
        """See Telemetry."""
        if self._client is not None:
            await self._client.close()

    async def _series(
        self, config: TelemetryConfig, signal: Signal | None, texts: Sequence[tuple[str, str]]
    ) -> list[Series]:
        """The answers to the questions, each with the name that it asks for, in the signal's unit."""
        found: list[Series] = []
        for name, text in texts:
            factor = 1.0 if signal is None else in_unit(signal, name, 1.0, config.names)
            found += [
                Series(labels, value * factor) for labels, value in await self._ask(config.prometheus or "", text)
            ]
        return found

    async def _ask(self, address: str, question: str) -> Iterable[tuple[dict[str, str], float]]:
        if self._client is None:  # aiohttp makes one only where a loop runs
            # No proxy from the environment, no redirects: what is asked stays in the cluster.
            self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT), trust_env=False)
        url = f"{address.rstrip('/')}/api/v1/query"
        try:
            async with self._turns, self._client.post(url, data={"query": question}, allow_redirects=False) as answer:
                return await asyncio.to_thread(read_answer, answer.status, await _bounded(answer))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TelemetryUnavailable(f"Prometheus does not answer: {type(error).__name__}") from error


def questions(config: TelemetryConfig, after: float) -> dict[str, tuple[Signal | None, list[tuple[str, str]]]]:
    """What is asked, by the field of Reading that the answer is for: a signal whose unit it has, names and texts."""
    gpu, node = f'{{job="{_quoted(config.gpu_job)}"}}', f'{{job="{_quoted(config.node_job)}"}}'
    span, longer = f"[{_seconds(after + EDGE)}s]", f"[{_seconds(after + MARGIN)}s]"
    back = f"offset {_seconds(after + MARGIN)}s"

    now, before = f"{_SLICES}(NAME{gpu})", f"{_SLICES}(NAME{gpu} {back})"
    within = f"{_SLICES}(count_over_time(NAME{gpu}{longer}))"
    # Answers have only what differs: of thousands of pods hardly any.
    changed = f"({now} unless {before}) or ({before} unless {now}) or ({within} unless {now})"

    def of(signal: Signal, form: str) -> list[tuple[str, str]]:
        return [(each.name, form.replace("NAME", each.name)) for each in _names(signal, config)]

    cpu = f'max_over_time({_PODS}(rate(NAME{node[:-1]},container!=""}}[5m]))[{_seconds(after)}s:1m])'
    memory = f'max_over_time({_PODS}(NAME{node[:-1]},container!=""}})[{_seconds(after)}s:1m])'
    return {
        "count": (None, of(Signal.ENGINE, f"count_over_time(NAME{gpu}{span})")),
        "engine": (Signal.ENGINE, of(Signal.ENGINE, f"max_over_time(NAME{gpu}{span})")),
        "engine_high": (Signal.ENGINE, of(Signal.ENGINE, f"quantile_over_time(0.95, NAME{gpu}{span})")),
        "dram": (Signal.DRAM, of(Signal.DRAM, f"max_over_time(NAME{gpu}{span})")),
        "memory": (Signal.GPU_MEMORY, of(Signal.GPU_MEMORY, f"max_over_time(NAME{gpu}{span})")),
        "memory_changes": (None, of(Signal.GPU_MEMORY, f"changes(NAME{gpu}{span}) > 0")),
        "xid": (Signal.XID, of(Signal.XID, f"max by (UUID)(max_over_time(NAME{gpu}{longer}))")),
        "up": (None, [("up", f"min_over_time(up{gpu}{longer})")]),
        "cut_known": (None, of(Signal.ENGINE, f"count by (UUID)({before})")),
        "cut_changed": (None, of(Signal.ENGINE, f"count by (UUID)({changed})")),
        "cpu": (Signal.CPU, of(Signal.CPU, cpu)),
        "pod_memory": (Signal.MEMORY, of(Signal.MEMORY, memory)),
    }


def slice_questions(config: TelemetryConfig) -> list[tuple[str, str]]:
    """What is asked about slices, held or free: each has samples of its memory, if anything has."""
    span = f"[{max(_SLICES_OF, 4 * config.scrape)}s]"
    job = _quoted(config.gpu_job)
    return [
        (each.name, f'count_over_time({each.name}{{job="{job}"}}{span})') for each in _names(Signal.GPU_MEMORY, config)
    ]


def expected_samples(config: TelemetryConfig, after: float) -> int:
    """How many samples of a slice there should be."""
    return int((after + EDGE) // config.scrape)


def read_answer(status: int, content: bytes) -> list[tuple[dict[str, str], float]]:
    """The series of an answer. Raises TelemetryUnavailable for what is none, and for one that is too large."""
    try:
        said = msgspec.json.decode(content, type=_Answer)
    except (msgspec.DecodeError, ValueError) as error:
        raise TelemetryUnavailable(f"Prometheus answered {status} with what is no answer of its API") from error
    if status != 200 or said.status != "success" or said.data is None or said.data.resultType != "vector":
        raise TelemetryUnavailable(f"Prometheus answered {status}: {said.error[:200] or said.status}")
    if len(said.data.result) > MOST_SERIES:
        raise TelemetryUnavailable(f"Prometheus has {len(said.data.result)} series, and {MOST_SERIES} at most are read")
    found = []
    for sample in said.data.result:
        try:
            value = float(sample.value[1])
        except ValueError as error:
            raise TelemetryUnavailable("Prometheus told a number that is none") from error
        if math.isfinite(value):  # NaN is no sample
            found.append((sample.metric, value))
    return found


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    pieces, size = [], 0
    async for piece in answer.content.iter_chunked(2**18):
        size += len(piece)
        if size > LARGEST:
            raise TelemetryUnavailable(f"Prometheus' answer has more than {LARGEST // 2**20} MiB")
        pieces.append(piece)
    return b"".join(pieces)


def _names(signal: Signal, config: TelemetryConfig) -> tuple[Exported, ...]:
    return names_of(signal, config.names)


def _seconds(span: float) -> int:
    return max(1, int(span))


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
