"""What can be said of the dashboards' queries without asking a Prometheus."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import promql_parser

# What Grafana puts in, and something that could be in its place.
MACROS = {"$__rate_interval": "5m", "$__range": "1d", "$__interval": "1m"}
_VARIABLE = re.compile(r"^label_values\((\w+), (\w+)\)$")


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The panels that show something: no rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions(board: Mapping[str, Any]) -> list[str]:
    """All queries of a dashboard as Prometheus gets them, but for the team."""
    return [filled(target["expr"]) for panel in panels(board) for target in panel["targets"]]


def filled(expr: str) -> str:
    """The query with Grafana's macros filled in."""
    for macro, text in MACROS.items():
        expr = expr.replace(macro, text)
    return expr


def choices(board: Mapping[str, Any]) -> list[str]:
    """The metrics whose labels a dashboard offers to choose from."""
    texts = [each["query"] for each in board["templating"]["list"] if each["type"] == "query"]
    return [found[1] for text in texts if (found := _VARIABLE.match(text))]


def selectors(expr: str) -> Iterator[Any]:
    """Every selector of a query. Raises ValueError for what is no PromQL."""
    found: list[Any] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):  # one in a range selector comes too
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    yield from found


def unknown_names(expr: str, known: Iterable[str]) -> set[str]:
    """Names of the query that nobody exports; a selector without a name counts as one."""
    return {selector.name or str(selector) for selector in selectors(expr)} - set(known)


def without_team(expr: str) -> list[str]:
    """The selectors of a query that don't say the chosen team."""
    return [
        str(selector)
        for selector in selectors(expr)
        if [(each.op == promql_parser.MatchOp.Equal, each.value) for each in selector.matchers.matchers
            if each.name == "tenant"] != [(True, "$tenant")]
    ]  # fmt: skip


def promtool_says(folder: Path, exprs: Iterable[str]) -> str:
    """What promtool has against queries, as rules that record them; empty where nothing."""
    rules = [{"record": f"query:{number}", "expr": expr} for number, expr in enumerate(exprs)]
    file = folder / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    program = shutil.which("promtool")
    assert program is not None
    done = subprocess.run([program, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
