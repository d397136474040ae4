"""A team's query, written anew so that each of its selectors says the team. The only module that knows PromQL's parser.

The text that Prometheus gets is made here, node by node, of what is known to be harmless: nothing of the sender's own
text is passed on but names, quoted values and numbers. So it does not matter whether the parser here and Prometheus'
own read a text alike. What is not known, is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import promql_parser as promql

LABEL = "tenant"
# Characters of a query. Of brackets, operators and signs: each of them may be one level of nesting, for which the
# parser needs stack and, with the square of their number, time.
LONGEST_QUERY, MOST_SYMBOLS = 4096, 400
# Levels of a query.
DEEPEST = 60
# Seconds that one range may reach back, and steps of one subquery, counted over all that is around it.
LONGEST_RANGE, MOST_STEPS = 100 * 86400, 50_000
# Prometheus' own step of a subquery that says none, in seconds.
_DEFAULT_STEP = 60.0

# None of these reads a series that its arguments don't name. info(), which does, and what is experimental is
# left out.
FUNCTIONS = frozenset({
    "abs", "absent", "absent_over_time", "acos", "acosh", "asin", "asinh", "atan", "atanh", "avg_over_time", "ceil",
    "changes", "clamp", "clamp_max", "clamp_min", "cos", "cosh", "count_over_time", "day_of_month", "day_of_week",
    "day_of_year", "days_in_month", "deg", "delta", "deriv", "exp", "floor", "histogram_count",
    "histogram_fraction", "histogram_quantile", "histogram_sum", "hour", "idelta", "increase", "irate",
    "label_join", "label_replace", "last_over_time", "ln", "log10", "log2", "max_over_time", "min_over_time",
    "minute", "month", "pi", "predict_linear", "present_over_time", "quantile_over_time", "rad", "rate", "resets",
    "round", "scalar", "sgn", "sin", "sinh", "sort", "sort_desc", "sqrt", "stddev_over_time", "stdvar_over_time",
    "sum_over_time", "tan", "tanh", "time", "timestamp", "vector", "year",
})  # fmt: skip
AGGREGATIONS = frozenset(
    {"avg", "bottomk", "count", "count_values", "group", "max", "min", "quantile", "stddev", "stdvar", "sum",
    "topk"}
)  # fmt: skip
OPERATORS = frozenset(
    {"+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless", "atan2"}
)  # fmt: skip
# Functions that name labels in texts, and which of their arguments is the label that they write.
_WRITES_LABEL = {"label_replace": 1, "label_join": 1}
_MATCHES = (
    (promql.MatchOp.Equal, "="),
    (promql.MatchOp.NotEqual, "!="),
    (promql.MatchOp.Re, "=~"),
    (promql.MatchOp.NotRe, "!~"),
)
_SYMBOL = re.compile(r"[()\[\]+\-*/%^=<>!~@]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class QueryRefused(ValueError):
    """A query that is not passed on; the text says why, and what to do."""


def for_tenant(query: str, tenant: str, span: float = 0.0) -> str:
    """``query`` with ``tenant`` in each selector, for a range of ``span`` seconds. Raises QueryRefused."""
    return _Writer(tenant).write(_parsed(query), span, 0)


def selector_for_tenant(text: str, tenant: str) -> str:
    """The same of one selector, as `match[]` has it. Raises QueryRefused."""
    node = _parsed(text)
    if not isinstance(node, promql.VectorSelector) or node.offset is not None or node.at is not None:
        raise QueryRefused('give a plain selector, such as aifactory_jobs{state="RUNNING"}')
    return _Writer(tenant).selector(node)


def all_of_tenant(tenant: str) -> str:
    """A selector of all series of the tenant."""
    return f"{{{LABEL}={_quoted(tenant)}}}"


def _parsed(text: str) -> Any:
    if len(text) > LONGEST_QUERY:
        raise QueryRefused(f"it has {len(text)} characters, and {LONGEST_QUERY} at most are read")
    symbols = sum(1 for _ in _SYMBOL.finditer(text))
    if symbols > MOST_SYMBOLS:
        raise QueryRefused(
            f"it has {symbols} brackets and operators, and {MOST_SYMBOLS} at most are read: ask in parts"
        )
    if "`" in text and "\\" in text:
        # In Prometheus a backslash between backticks is one; the parser here takes it for the begin of an escape.
        raise QueryRefused("it has a backslash, and a text in backticks: write texts in double quotes, each \\ twice")
    try:
        return promql.parse(text)
    except (ValueError, OverflowError) as error:
        raise QueryRefused(f"it is no PromQL: {str(error)[:200]}") from error


class _Writer:
    """Writes a query's nodes for one tenant."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant

    def write(self, node: Any, span: float, depth: int) -> str:
        """A node, of which ``span`` seconds are looked at. Raises QueryRefused."""
        if depth > DEEPEST:
            raise QueryRefused(f"it is nested more than {DEEPEST} levels deep")
        for kind, write in self._kinds():
            if isinstance(node, kind):
                return write(node, span, depth + 1)
        raise QueryRefused(f"{type(node).__name__} is not known here")

    def _kinds(self) -> Sequence[tuple[type, Callable[[Any, float, int], str]]]:
        return (
            (promql.NumberLiteral, lambda node, span, depth: _number(node.val)),
            (promql.VectorSelector, lambda node, span, depth: self.selector(node) + _when(node)),
            (promql.MatrixSelector, lambda node, span, depth: self._matrix(node)),
            (promql.ParenExpr, lambda node, span, depth: f"({self.write(node.expr, span, depth)})"),
            (promql.UnaryExpr, lambda node, span, depth: f"-({self.write(node.expr, span, depth)})"),
            (promql.BinaryExpr, self._binary),
            (promql.AggregateExpr, self._aggregate),
            (promql.Call, self._call),
            (promql.SubqueryExpr, self._subquery),
            (promql.StringLiteral, _misplaced),
        )

    def selector(self, node: Any) -> str:
        """A selector of one moment, without when. The team comes first, and whatever else it says narrows it down."""
        if node.matchers.or_matchers:
            raise QueryRefused("`or` between the matchers of one selector is not PromQL: join two selectors by `or`")
        parts = [f"{LABEL}={_quoted(self._tenant)}"]
        if node.name is not None:
            parts.append(f"__name__={_quoted(node.name)}")
        for matcher in node.matchers.matchers:
            if matcher.name == LABEL:
                self._check_own(matcher)
            else:
                parts.append(f"{_label(matcher.name)}{_operator(matcher.op)}{_quoted(matcher.value)}")
        return f"{{{','.join(parts)}}}"

    def _check_own(self, matcher: Any) -> None:
        """Raises QueryRefused for all but the tenant itself: an empty answer would look like an answer."""
        operator, value = _operator(matcher.op), matcher.value
        if operator not in ("=", "=~") or value != self._tenant:
            asked = f"{LABEL}{operator}{_quoted(value)[:80]}"
            raise QueryRefused(f"it asks for {asked}, and this address is of {self._tenant}: leave {LABEL} out")

    def _matrix(self, node: Any) -> str:
        selector = node.vector_selector
        return f"{self.selector(selector)}[{_range(node.range)}]{_when(selector)}"

    def _subquery(self, node: Any, span: float, depth: int) -> str:
        reach, step = _range(node.range), "" if node.step is None else _milliseconds(node.step)
        seconds = _DEFAULT_STEP if node.step is None else node.step.total_seconds()
        within = span + node.range.total_seconds()
        if seconds <= 0 or within / seconds > MOST_STEPS:
            raise QueryRefused(
                f"its subquery has more than {MOST_STEPS} steps: make its step longer, or what it covers"
            )
        return f"({self.write(node.expr, within, depth)})[{reach}:{step}]{_when(node)}"

    def _call(self, node: Any, span: float, depth: int) -> str:
        name = node.func.name
        if name not in FUNCTIONS:
            raise QueryRefused(f"the function {name} can't be used here")
        written = _WRITES_LABEL.get(name)
        if written is None:
            return f"{name}({', '.join(self.write(each, span, depth) for each in node.args)})"
        texts = node.args[1:]
        if len(node.args) <= written or not all(isinstance(each, promql.StringLiteral) for each in texts):
            raise QueryRefused(f"{name} takes a vector and texts in quotes")
        _check_written(node.args[written].val)
        return f"{name}({', '.join([self.write(node.args[0], span, depth), *(_quoted(each.val) for each in texts)])})"

    def _aggregate(self, node: Any, span: float, depth: int) -> str:
        name = str(node.op)
        if name not in AGGREGATIONS:
            raise QueryRefused(f"the aggregation {name} can't be used here")
        arguments = []
        if node.param is not None:
            arguments.append(self._parameter(name, node.param, span, depth))
        arguments.append(self.write(node.expr, span, depth))
        return f"{name}{_grouping(node.modifier)} ({', '.join(arguments)})"

    def _parameter(self, name: str, param: Any, span: float, depth: int) -> str:
        if name != "count_values":
            return self.write(param, span, depth)
        if not isinstance(param, promql.StringLiteral):
            raise QueryRefused("count_values takes the name of a label in quotes")
        return _quoted(_check_written(param.val))

    def _binary(self, node: Any, span: float, depth: int) -> str:
        operator = str(node.op)
        if operator not in OPERATORS:
            raise QueryRefused(f"the operator {operator} can't be used here")
        left, right = self.write(node.lhs, span, depth), self.write(node.rhs, span, depth)
        return f"({left}) {operator}{_matching(node.modifier)} ({right})"


def _operator(match: Any) -> str:
    for known, written in _MATCHES:
        if match == known:
            return written
    raise QueryRefused("a matcher is =, !=, =~ or !~")


def _misplaced(node: Any, span: float, depth: int) -> str:
    raise QueryRefused("a text in quotes stands where none belongs")


def _check_written(label: str) -> str:
    """The name of a label that a function writes. Raises QueryRefused for the team's: nobody forges that."""
    if label == LABEL:
        raise QueryRefused(f"it writes the label {LABEL}, which always says the team: choose another name")
    return _label(label)


def _label(name: str) -> str:
    if not _LABEL_NAME.fullmatch(name):
        raise QueryRefused(f"{_quoted(name)[:80]} is no name of a label that can be used here")
    return name


def _labels(names: Iterable[str]) -> str:
    return f"({', '.join(map(_label, names))})"


def _grouping(modifier: Any) -> str:
    if modifier is None:
        return ""
    by = modifier.type == promql.AggModifierType.By
    return f" {'by' if by else 'without'} {_labels(modifier.labels)}"


def _matching(modifier: Any) -> str:
    """What stands behind an operator: bool, on or ignoring, group_left or group_right."""
    if modifier is None:
        return ""
    if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
        raise QueryRefused("fill can't be used here")
    parts = [" bool"] if modifier.return_bool else []
    if modifier.matching is not None:
        on = modifier.matching.type == promql.LabelModifierType.Include
        parts.append(f" {'on' if on else 'ignoring'} {_labels(modifier.matching.labels)}")
    if modifier.card in (promql.VectorMatchCardinality.ManyToOne, promql.VectorMatchCardinality.OneToMany):
        left = modifier.card == promql.VectorMatchCardinality.ManyToOne
        parts.append(f" {'group_left' if left else 'group_right'} {_labels(modifier.group_labels or ())}")
    return "".join(parts)


def _when(node: Any) -> str:
    """The offset and the moment of a selector or subquery."""
    parts = []
    if node.offset is not None:
        parts.append(f" offset {_milliseconds(node.offset)}")
    if node.at is not None:
        parts.append(f" @ {_moment(node.at.type)}")
    return "".join(parts)


def _moment(kind: Any) -> str:
    # The parser can't tell of a moment before 1970, so none is taken by its seconds.
    if kind == promql.AtModifierType.Start:
        return "start()"
    if kind == promql.AtModifierType.End:
        return "end()"
    raise QueryRefused("@ takes start() or end() here; for another moment, say it as `time`, `start` and `end`")


def _range(reach: timedelta) -> str:
    if not 0 < reach.total_seconds() <= LONGEST_RANGE:
        raise QueryRefused(f"a range is more than 0 and at most {LONGEST_RANGE // 86400} days, not {reach}")
    return _milliseconds(reach)


def _milliseconds(span: timedelta) -> str:
    return f"{span // timedelta(milliseconds=1)}ms"


def _number(value: float) -> str:
    """In brackets, because a sign before it may be read as an operator."""
    text = {"inf": "Inf", "-inf": "-Inf", "nan": "NaN"}.get(repr(value), repr(value))
    return f"({text})"


def _quoted(text: str) -> str:
    """As PromQL reads it: its escapes are those of Go, of which JSON's are some."""
    return json.dumps(text, ensure_ascii=False)
