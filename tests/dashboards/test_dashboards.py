"""The dashboards: the chart has what is rendered, and each query is right, of names that are exported, of its team."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from aifactory_hub.telemetry.promql import QueryRefused, for_tenant
from dashboards.rendered import rendered

from ..support.programs_here import needs
from .names import DCGM, OTHERS, RECORDED, ROOT, rules
from .queries import choices, expressions, filled, panels, promtool_says, unknown_names, without_team

FOLDER = ROOT / "charts/aifactory-hub/files/dashboards"
BOARDS: dict[str, dict[str, Any]] = {name: json.loads(text) for name, text in rendered().items()}


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_the_chart_has_what_is_rendered(name: str, request: pytest.FixtureRequest) -> None:
    file, text = FOLDER / f"{name}.json", rendered()[name]
    if request.config.getoption("--update-golden"):
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text, "see --update-golden"


def test_the_chart_has_no_other_dashboard() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == set(BOARDS)


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_each_panel_says_what_it_shows_in_which_unit_and_asks_the_chosen_prometheus(name: str) -> None:
    board = BOARDS[name]
    numbers = [panel["id"] for panel in board["panels"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert (board["uid"], board["editable"]) == (f"aifactory-{name}", False)
    for panel in panels(board):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["noValue"] == "unknown", "no sample is not 0"
        assert panel["targets"], panel["title"]
        for asked in (panel, *panel["targets"]):
            assert asked["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    titles = [panel["title"] for panel in panels(board)]
    assert len(set(titles)) == len(titles)
    assert [each["name"] for each in board["templating"]["list"] if each["type"] == "datasource"] == ["datasource"]


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_panels_stand_beside_each_other_and_not_on_each_other(name: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in BOARDS[name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} is on {taken[x, y]}"
                taken[x, y] = panel["title"]


@needs("promtool", "prometheus")
def test_promtool_takes_each_query_and_finds_a_planted_error(tmp_path: Path) -> None:
    exprs = [expr for board in BOARDS.values() for expr in expressions(board)]
    assert len(exprs) > 50
    assert promtool_says(tmp_path, exprs) == ""
    assert "parse error" in promtool_says(tmp_path, [*exprs, "sum by (tenant (up)"])
    assert "parse error" in promtool_says(tmp_path, [*exprs, "rate(up[$__rate_interval])"])


def test_our_parser_takes_each_query_and_each_rule_too() -> None:
    for expr in [expr for board in BOARDS.values() for expr in expressions(board)] + [rule["expr"] for rule in rules()]:
        promql_parser.parse(expr)
    with pytest.raises(ValueError, match="unclosed"):
        promql_parser.parse("sum by (tenant (up)")


async def test_each_name_is_one_that_is_exported(exported: set[str]) -> None:
    known = exported | RECORDED | OTHERS | DCGM
    for name, board in BOARDS.items():
        for expr in expressions(board):
            assert not unknown_names(expr, known), (name, expr)
        assert set(choices(board)) <= known
    assert unknown_names("sum(aifactory_usage_hold)", known) == {"aifactory_usage_hold"}
    assert unknown_names('sum({__name__=~".+"})', known)


async def test_each_name_in_a_rule_is_one_that_is_exported(exported: set[str]) -> None:
    for rule in rules():
        assert not unknown_names(rule["expr"], exported | RECORDED | OTHERS | DCGM), rule["expr"]


def test_names_of_others_are_all_in_use() -> None:
    asked = [expr for board in BOARDS.values() for expr in expressions(board)] + [rule["expr"] for rule in rules()]
    used = {name for expr in asked for name in unknown_names(expr, ())}
    assert used >= OTHERS


def test_each_query_of_the_team_s_dashboard_says_the_team() -> None:
    for panel in panels(BOARDS["team"]):
        for target in panel["targets"]:
            assert without_team(filled(target["expr"])) == [], panel["title"]
    assert choices(BOARDS["team"]) == ["aifactory_usage_held_seconds_total"]


@needs("promtool", "prometheus")
def test_the_team_s_own_address_takes_each_query_of_the_team_s_dashboard(tmp_path: Path) -> None:
    exprs = [expr.replace("$tenant", "nlp") for expr in expressions(BOARDS["team"])]
    written = [for_tenant(expr, "nlp", 86400.0) for expr in exprs]
    assert promtool_says(tmp_path, written) == ""
    with pytest.raises(QueryRefused):
        for_tenant(expressions(BOARDS["team"])[0], "nlp")


@pytest.mark.parametrize(
    "expr",
    [
        "up",
        'a{tenant="$tenant"} / b',
        'rate(a{tenant=~"$tenant"}[5m])',
        'a{tenant="nlp"}',
        'sum(max_over_time(a{job="$tenant"}[5m:1m]))',
        'a{tenant="$tenant",tenant="other"}',
    ],
)
def test_a_query_that_does_not_say_the_team_is_found(expr: str) -> None:
    assert len(without_team(expr)) == 1
