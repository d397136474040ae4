"""What all dashboards are made of: panels with a sentence each, the data source to choose, and the team to choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models.common import BigValueGraphMode, LegendDisplayMode, StackingMode, TimeZoneBrowser
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

# Which Prometheus is asked, is chosen on each dashboard.
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG = "aifactory"
# Grafana has 24 columns.
WIDE, HALF, THIRD, QUARTER = 24, 12, 8, 6
# Grafana's names of units.
COUNT, RATIO, SECONDS, BYTES, PER_SECOND = "short", "percentunit", "s", "bytes", "reqps"

Panel = TypeVar("Panel", stat.Panel, table.Panel, timeseries.Panel)
# A query and what its series are called, such as "{{tenant}}".
Query = tuple[str, str]


def board(uid: str, title: str, description: str) -> dashboard.Dashboard:
    """A dashboard of the last day with no panels yet."""
    source = dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .timezone(TimeZoneBrowser)
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-24h", "now")
        .refresh("1m")
        .readonly()
        .with_variable(source)
    )


def team_variable(names: str) -> dashboard.QueryVariable:
    """The choice of one team: those that the metric ``names`` has."""
    return (
        dashboard.QueryVariable("tenant")
        .label("Team")
        .datasource(SOURCE)
        .query(f"label_values({names}, tenant)")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def number(title: str, description: str, expr: str, unit: str = COUNT, *, width: int = QUARTER) -> stat.Panel:
    """One number as it is now; no sample is shown as "unknown"."""
    panel = stat.Panel().graph_mode(BigValueGraphMode.NONE)
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return _panel(panel.with_target(_query(expr, "", 0).instant()), title, description, unit, width, 4)


def lines(
    title: str,
    description: str,
    queries: Sequence[Query],
    unit: str = COUNT,
    *,
    width: int = HALF,
    stacked: bool = False,
) -> timeseries.Panel:
    """Curves over the time that is looked at. A gap is a time without samples."""
    panel = timeseries.Panel().legend(common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(True))
    panel = panel.min(0).fill_opacity(25 if stacked else 5)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    for place, (expr, legend) in enumerate(queries):
        panel = panel.with_target(_query(expr, legend, place).range())
    return _panel(panel, title, description, unit, width, 8)


def rows(title: str, description: str, expr: str, unit: str = COUNT, *, width: int = HALF) -> table.Panel:
    """A row for each series as it is now."""
    query = _query(expr, "", 0).instant().format(PromQueryFormat.TABLE)
    return _panel(table.Panel().with_target(query), title, description, unit, width, 8)


def _panel(panel: Panel, title: str, description: str, unit: str, width: int, height: int) -> Panel:
    made = panel.title(title).description(description).unit(unit).datasource(SOURCE)
    return made.no_value("unknown").span(width).height(height)


def _query(expr: str, legend: str, place: int) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(expr).ref_id(chr(ord("A") + place)).datasource(SOURCE)
    return made.legend_format(legend) if legend else made
