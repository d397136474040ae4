"""A team's questions to Prometheus, under the addresses that a Grafana data source knows.

The team is that of the address, in each selector of what is asked. Only what is here is passed on: nothing of targets,
rules, alerts, metadata, status or administration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar
from urllib.parse import parse_qsl

from ... import constants
from ...domain.query_times import TimeRefused, read_points, read_span, read_time
from ...telemetry.promql import QueryRefused, all_of_tenant, for_tenant, selector_for_tenant
from ...telemetry.relay import TIMEOUT, Parameters
from ..auth.permissions import Caller
from ..errors import ServiceError, bad_field
from ..query_request_types import InstantQuery, PrometheusAnswer, RangeQuery, SelectorQuery
from ..request_types import checked
from .base import Handler
from .operations import operation

Asked = TypeVar("Asked", InstantQuery, RangeQuery, SelectorQuery)

P = ParamSpec("P")
T = TypeVar("T")

FORM = "application/x-www-form-urlencoded"
# Bytes of a body, and parameters of a question.
LARGEST_BODY, MOST_PARAMETERS = 64 * 1024, 30


class OfTeamQueries(Handler):
    """Asks Prometheus for a team."""

    async def team_of(self, tenant: str) -> tuple[Caller, str]:
        """Who asks, and the team. Raises ServiceError; other teams and unknown ones are refused alike."""
        caller = await self.caller()
        if caller.administers_platform and tenant in self.context.registry.tenants:
            return caller, tenant
        return caller, self.tenant_for(caller, constants.SCOPE_READ, tenant)

    def asked(self, model: type[Asked]) -> Asked:
        """The parameters of address and body. Raises ServiceError (400)."""
        form: list[tuple[str, str]] = _of_form(self.request.body) if self.request.method == "POST" else []
        return read_parameters(model, [*_texts(self.asked_arguments()), *form])

    async def pass_on(self, caller: Caller, tenant: str, path: str, parameters: Parameters) -> None:
        """Answer with what Prometheus says."""
        self._end_turn()  # to wait for Prometheus is no work
        queries, reading = self.context.team_queries, self.context.parsing
        content = await queries.answer(reading, caller.name, tenant, path, parameters)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.write(content)


class Query(OfTeamQueries):
    """About one moment."""

    @operation(
        "queryTeam", "Ask Prometheus about one moment, for the team.", answer=PrometheusAnswer, query=InstantQuery
    )
    async def get(self, tenant: str) -> None:
        """As Prometheus' own API of this name."""
        await self.ask(tenant)

    @operation("queryTeamByForm", "The same, with the parameters in a form.", answer=PrometheusAnswer, receives=FORM)
    async def post(self, tenant: str) -> None:
        """For questions that are too long for an address."""
        await self.ask(tenant)

    async def ask(self, tenant: str) -> None:
        """Answer with what Prometheus says."""
        caller, name = await self.team_of(tenant)
        asked = self.asked(InstantQuery)
        moment = None if asked.time is None else _told(read_time, "time", asked.time)
        query = await self.context.parsing.run(caller.name, written, asked.query, name, 0.0)
        when = [] if moment is None else [("time", f"{moment:.3f}")]
        await self.pass_on(caller, name, "query", [("query", query), *when, ("timeout", f"{TIMEOUT}s")])


class QueryRange(OfTeamQueries):
    """About moments at the same distance."""

    @operation(
        "queryTeamRange", "Ask Prometheus about a range, for the team.", answer=PrometheusAnswer, query=RangeQuery
    )
    async def get(self, tenant: str) -> None:
        """As Prometheus' own API of this name."""
        await self.ask(tenant)

    @operation(
        "queryTeamRangeByForm", "The same, with the parameters in a form.", answer=PrometheusAnswer, receives=FORM
    )
    async def post(self, tenant: str) -> None:
        """For questions that are too long for an address."""
        await self.ask(tenant)

    async def ask(self, tenant: str) -> None:
        """Answer with what Prometheus says."""
        caller, name = await self.team_of(tenant)
        asked = self.asked(RangeQuery)
        points = _told(read_points, asked.start, asked.end, asked.step)
        query = await self.context.parsing.run(caller.name, written, asked.query, name, points.span)
        times = [(key, f"{getattr(points, key):.3f}") for key in ("start", "end", "step")]
        await self.pass_on(caller, name, "query_range", [("query", query), *times, ("timeout", f"{TIMEOUT}s")])


class OfSelectors(OfTeamQueries):
    """Asks for series and labels."""

    async def look(self, tenant: str, path: str) -> None:
        """Answer with what Prometheus has at ``path`` of the team's series."""
        caller, name = await self.team_of(tenant)
        asked = self.asked(SelectorQuery)
        first, last = _told(read_span, asked.start, asked.end, self.context.clock())
        selectors = await self.context.parsing.run(caller.name, written_selectors, asked.selectors, name)
        rest = [("start", f"{first:.3f}"), ("end", f"{last:.3f}")]
        if asked.limit is not None:
            rest.append(("limit", str(asked.limit)))
        await self.pass_on(caller, name, path, [*(("match[]", each) for each in selectors), *rest])


class Series(OfSelectors):
    """The labels of series."""

    @operation("listTeamSeries", "The team's series, by their labels.", answer=PrometheusAnswer, query=SelectorQuery)
    async def get(self, tenant: str) -> None:
        """As Prometheus' own API of this name; without a selector, all of the team."""
        await self.look(tenant, "series")

    @operation(
        "listTeamSeriesByForm", "The same, with the parameters in a form.", answer=PrometheusAnswer, receives=FORM
    )
    async def post(self, tenant: str) -> None:
        """For selectors that are too long for an address."""
        await self.look(tenant, "series")


class Labels(OfSelectors):
    """The names of labels."""

    @operation("listTeamLabels", "Labels that the team's series have.", answer=PrometheusAnswer, query=SelectorQuery)
    async def get(self, tenant: str) -> None:
        """As Prometheus' own API of this name."""
        await self.look(tenant, "labels")

    @operation(
        "listTeamLabelsByForm", "The same, with the parameters in a form.", answer=PrometheusAnswer, receives=FORM
    )
    async def post(self, tenant: str) -> None:
        """For selectors that are too long for an address."""
        await self.look(tenant, "labels")


class LabelValues(OfSelectors):
    """The values of a label."""

    @operation(
        "listTeamLabelValues",
        "Values that a label has in the team's series.",
        answer=PrometheusAnswer,
        query=SelectorQuery,
    )
    async def get(self, tenant: str, label: str) -> None:
        """As Prometheus' own API of this name."""
        if not (label.isascii() and label.isidentifier()):
            raise bad_field("label", f"{label[:80]!r} is no name of a label: it has letters, digits and underscores.")
        await self.look(tenant, f"label/{label}/values")


def written(query: str, tenant: str, span: float) -> str:
    """The query for the team alone. Raises ServiceError (400)."""
    try:
        return for_tenant(query, tenant, span)
    except QueryRefused as error:
        raise bad_field("query", f"The query is not passed on: {error}.") from error


def written_selectors(selectors: Sequence[str], tenant: str) -> list[str]:
    """The selectors for the team alone; where there are none, one for all of it. Raises ServiceError (400)."""
    try:
        return [selector_for_tenant(each, tenant) for each in selectors] or [all_of_tenant(tenant)]
    except QueryRefused as error:
        raise bad_field("match[]", f"The selector is not passed on: {error}.") from error


def read_parameters(model: type[Asked], pairs: Sequence[tuple[str, str]]) -> Asked:
    """Parameters as ``model``: nothing that it does not know, and nothing twice but selectors.

    Raises ServiceError (400).
    """
    if len(pairs) > MOST_PARAMETERS:
        raise bad_field("query", f"There are {len(pairs)} parameters, and {MOST_PARAMETERS} at most are read.")
    given: dict[str, str | list[str]] = {}
    for name, text in pairs:
        if name == "match[]":
            given.setdefault(name, []).append(text)  # type: ignore[union-attr]
        elif name in given:
            raise bad_field(name[:80], f"The parameter {name[:80]!r} is there twice: which one is meant?")
        else:
            given[name] = text
    return checked(model, given)


def _texts(arguments: Mapping[str, Sequence[bytes]]) -> list[tuple[str, str]]:
    try:
        return [(name, value.decode()) for name, values in arguments.items() for value in values]
    except UnicodeDecodeError as error:
        raise bad_field("query", "A parameter is not UTF-8.") from error


def _of_form(body: bytes) -> list[tuple[str, str]]:
    """The parameters of a form. Raises ServiceError (400, 413)."""
    if len(body) > LARGEST_BODY:
        message = f"The form has {len(body)} bytes, and {LARGEST_BODY} at most are read."
        raise ServiceError(413, "too-large", message, numbers={"limit": LARGEST_BODY})
    try:
        text = body.decode()
        return parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    except ValueError as error:
        raise bad_field("body", f"The body is no form ({FORM}), such as query=up.") from error


def _told(read: Callable[P, T], *texts: P.args, **rest: P.kwargs) -> T:
    """What is read of times. Raises ServiceError (400)."""
    try:
        return read(*texts, **rest)
    except TimeRefused as error:
        raise bad_field(error.field, f"{error}.") from error
