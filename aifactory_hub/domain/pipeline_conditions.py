"""Metrics that one step of a pipeline passes on, and conditions on them: ``train.accuracy >= 0.9``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .metrics import LONGEST_NAME

STEP_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_METRIC = rf"[A-Za-z0-9_][A-Za-z0-9_./-]{{0,{LONGEST_NAME - 1}}}"
_STEP = STEP_NAME.pattern
_REFERENCE = re.compile(rf"(?:(max|min)\(\s*({_STEP})\.({_METRIC})\s*\)|({_STEP})\.({_METRIC}))")
_CONDITION = re.compile(r"\s*(.+?)\s*(>=|<=|==|!=|>|<)\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]{1,3})?)\s*")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


class BadExpression(ValueError):
    """A reference or condition that can't be read; the text says what to write."""


@dataclass(frozen=True, slots=True)
class MetricReference:
    """The last value of a step's metric; of a step with a matrix the ``pick`` (max or min) of all its jobs."""

    step: str
    metric: str
    pick: str = ""

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.pick}({self.step}.{self.metric})" if self.pick else f"{self.step}.{self.metric}"


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a metric with a number."""

    metric: MetricReference
    compare: str
    bound: float

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.metric} {self.compare} {self.bound:g}"


def read_reference(text: str) -> MetricReference:
    """Reads ``step.metric`` or ``max(step.metric)``. Raises BadExpression."""
    found = _REFERENCE.fullmatch(text.strip())
    if found is None:
        raise BadExpression(f"{text!r} names no metric: write step.metric, or max(step.metric) where there are several")
    pick, picked_step, picked, step, metric = found.groups()
    return MetricReference(picked_step or step, picked or metric, pick or "")


def read_condition(text: str) -> Condition:
    """Reads ``step.metric >= 0.9``. Raises BadExpression."""
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise BadExpression(f"{text!r} is no condition: write one like train.accuracy >= 0.9")
    try:
        bound = float(found[3])
    except ValueError:
        raise BadExpression(f"{found[3]!r} is not a number") from None
    return Condition(read_reference(found[1]), found[2], bound)


# Of each job of a step: its last values by name.
Values = Mapping[str, Sequence[Mapping[str, float | None]]]


def value_of(reference: MetricReference, values: Values) -> float | None:
    """The value; None when a job of the step has not reported it, or reported no number."""
    reported = [of_job.get(reference.metric) for of_job in values.get(reference.step, ())]
    known = [value for value in reported if value is not None and math.isfinite(value)]
    if not known or len(known) != len(reported):
        return None
    return min(known) if reference.pick == "min" else max(known)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a condition says; ``met`` None: a value that it needs is not known."""

    met: bool | None
    why: str = ""


def judge(conditions: Sequence[Condition], values: Values) -> Judgement:
    """Whether all conditions are met. What is not known is not zero: it is said, and is no yes."""
    for condition in conditions:
        found = value_of(condition.metric, values)
        if found is None:
            reference = condition.metric
            return Judgement(
                None, f"{reference.step} reported no number for {reference.metric}, so {condition} is open"
            )
        if not _COMPARE[condition.compare](found, condition.bound):
            why = f"{condition.metric} is {found:g}, and {condition.compare} {condition.bound:g} was asked"
            return Judgement(False, why)
    return Judgement(True)
