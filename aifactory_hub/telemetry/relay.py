"""Passes questions on to Prometheus, and its answers back: bounded in bytes and time, and looked through for other
teams' series before anybody sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import aiohttp
import msgspec

from ..registry.model import TelemetryConfig
from .base import TelemetryUnavailable
from .promql import LABEL

# Seconds that Prometheus may take for one answer, and those after which it is given up.
TIMEOUT, GIVEN_UP = 20, 25.0
# Bytes of one answer.
LARGEST = 8 * 2**20

Parameters = Sequence[tuple[str, str]]


class NoPrometheus(Exception):
    """The site has none."""


class AnswerTooLarge(Exception):
    """An answer of more than LARGEST bytes."""


class NotAnswered(Exception):
    """Prometheus can't answer this question; the text is its own."""


class ForeignSeries(Exception):
    """An answer that has another team's series, which may not be."""


class _Answer(msgspec.Struct):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    warnings: list[str] = []


class _Result(msgspec.Struct):
    resultType: str
    result: msgspec.Raw


class _Series(msgspec.Struct):
    metric: dict[str, str]


class PrometheusRelay:
    """Asks the site's Prometheus. ``get_config`` gives the site's settings as they are now."""

    def __init__(self, get_config: Callable[[], TelemetryConfig]) -> None:
        self._get_config = get_config

    async def ask(self, path: str, parameters: Parameters) -> tuple[int, bytes]:
        """Status and body of the answer at ``path`` below Prometheus' API.

        Raises NoPrometheus, AnswerTooLarge and TelemetryUnavailable.
        """
        address = self._get_config().prometheus
        if address is None:
            raise NoPrometheus
        url = f"{address.rstrip('/')}/api/v1/{path}"
        # Prometheus takes no form for the values of a label.
        verb, params, data = (
            ("GET", [*parameters], None) if path.startswith("label/") else ("POST", None, [*parameters])
        )
        limits = aiohttp.ClientTimeout(total=GIVEN_UP)
        try:
            # Nothing of the caller's but these parameters: no header, no cookie. No proxy from the environment, no
            # redirects: what is asked stays in the cluster.
            async with (
                aiohttp.ClientSession(timeout=limits, trust_env=False) as client,
                client.request(verb, url, params=params, data=data, allow_redirects=False) as answer,
            ):
                return answer.status, await _bounded(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TelemetryUnavailable(f"Prometheus does not answer: {type(error).__name__}") from error


def passed_on(status: int, content: bytes, path: str, tenant: str) -> bytes:
    """What of Prometheus' answer at ``path`` is passed on to people of ``tenant``: its data, as it is.

    Raises NotAnswered, TelemetryUnavailable and ForeignSeries.
    """
    try:
        said = msgspec.json.decode(content, type=_Answer)
        if status in (400, 422) and said.status == "error":
            raise NotAnswered(said.error[:500])
        if status != 200 or said.status != "success":
            raise TelemetryUnavailable(f"Prometheus answered {status}")
        if not _own(said.data, path, tenant):
            raise ForeignSeries
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TelemetryUnavailable(f"Prometheus answered {status} with what is no answer of its API") from error
    warnings = ["Prometheus says that this answer may not be whole"] if said.warnings else []
    return b'{"status":"success","data":%s,"warnings":%s}' % (bytes(said.data), msgspec.json.encode(warnings))


def _own(data: msgspec.Raw, path: str, tenant: str) -> bool:
    """Whether nothing in it says another team. Series that were added up may say none."""
    if path == "series":
        return all(each.get(LABEL) == tenant for each in msgspec.json.decode(data, type=list[dict[str, str]]))
    if path == "labels" or path.startswith("label/"):
        values = msgspec.json.decode(data, type=list[str])
        return path != f"label/{LABEL}/values" or all(each == tenant for each in values)
    answer = msgspec.json.decode(data, type=_Result)
    if answer.resultType not in ("vector", "matrix"):
        return answer.resultType in ("scalar", "string")
    series = msgspec.json.decode(answer.result, type=list[_Series])
    return all(each.metric.get(LABEL, tenant) == tenant for each in series)


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    pieces, size = [], 0
    async for piece in answer.content.iter_chunked(2**18):
        size += len(piece)
        if size > LARGEST:
            raise AnswerTooLarge
        pieces.append(piece)
    return b"".join(pieces)
