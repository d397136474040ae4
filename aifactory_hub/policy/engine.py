"""Evaluates rules with CEL, the language of Kubernetes' admission policies. The only module that imports it.

Traps of the runtime, each with a test: an error is sometimes a value whose truth is True and sometimes an exception, so
only a value of type BOOL counts. An evaluation takes 9,999 steps of loops at most, and there is no setting for it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from aifactory_profiles import parse_quantity

from ..domain.gates import Answer, Outcome, Rule
from ..domain.verdicts import Target
from ..untrusted.texts import escaped

# Characters of one expression. Kubernetes takes 100,000.
LONGEST_EXPRESSION = 20_000
# Bytes. The API server drops a message that is longer, and says what failed instead.
LONGEST_MESSAGE = 5 * 1024
# Milliseconds of processor time that one rule may take on the largest view.
LONGEST_EVALUATION = 50.0

_COMMON = {"verb": cel.Type.STRING, "team": cel.Type.DYN, "user": cel.Type.DYN, "now": cel.Type.TIMESTAMP}
_DEVICES = {"devices": cel.Type.DYN, "cost": cel.Type.DYN}
# What expressions of each target can name.
NAMES: Mapping[Target, Mapping[str, Any]] = MappingProxyType(
    {
        Target.JOB: {**_COMMON, **_DEVICES, "job": cel.Type.DYN},
        Target.SERVER: {**_COMMON, **_DEVICES, "server": cel.Type.DYN},
        Target.MODEL: {**_COMMON, "model": cel.Type.DYN},
        Target.DEPLOYMENT: {**_COMMON, **_DEVICES, "deployment": cel.Type.DYN},
        Target.TENANT: {**_COMMON, "tenant": cel.Type.DYN},
        Target.POD: {"object": cel.Type.DYN, "request": cel.Type.DYN},
    }
)
_PLACE = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)")
# A regular expression that is written out.
_PATTERN = re.compile(r"""\.matches\(\s*(r?'(?:[^'\\]|\\.)*'|r?"(?:[^"\\]|\\.)*")\s*\)""")
_STATUS = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$| \(in container ''\)$")


class ExpressionProblem(Exception):
    """An expression that can't be used: ``key`` names it, ``line`` and ``column`` are places in it, from 1."""

    def __init__(self, key: str, what: str, line: int = 1, column: int = 1) -> None:
        super().__init__(what)
        self.key, self.what, self.line, self.column = key, what, line, column


def _quantity_overload(name: str, result: Any, call: Callable[[float, float], Any]) -> Any:
    two = [cel.Type.DOUBLE, cel.Type.DOUBLE]
    return cel.FunctionDecl(name, [cel.Overload(f"quantity_{name}", result, two, True, call)])


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except ValueError:
        return False
    return True


def _pod_functions() -> list[Any]:
    """Kubernetes' own functions of quantities, as far as rules of pods need them. The runtime has no types of ours, so
    a quantity is a number: exact up to 2**53."""
    text, number = [cel.Type.STRING], [cel.Type.DOUBLE]
    return [
        cel.FunctionDecl(
            "quantity",
            [cel.Overload("string_to_quantity", cel.Type.DOUBLE, text, False, lambda t: float(parse_quantity(t)))],
        ),
        cel.FunctionDecl("isQuantity", [cel.Overload("is_quantity_string", cel.Type.BOOL, text, False, _is_quantity)]),
        _quantity_overload("isGreaterThan", cel.Type.BOOL, lambda a, b: a > b),
        _quantity_overload("isLessThan", cel.Type.BOOL, lambda a, b: a < b),
        _quantity_overload("compareTo", cel.Type.INT, lambda a, b: (a > b) - (a < b)),
        _quantity_overload("add", cel.Type.DOUBLE, lambda a, b: a + b),
        _quantity_overload("sub", cel.Type.DOUBLE, lambda a, b: a - b),
        cel.FunctionDecl(
            "asApproximateFloat", [cel.Overload("quantity_as_float", cel.Type.DOUBLE, number, True, lambda a: a)]
        ),
    ]


def _environment(target: Target) -> Any:
    names = {**NAMES[target], "variables": cel.Type.DYN}
    # Not the bindings: cel.bind compiles here and not on the API server.
    extensions = [ext_strings.ExtStrings(2), ext_optional.ExtOptional()]
    functions = _pod_functions() if target is Target.POD else []
    return cel.NewEnv(variables=names, extensions=extensions, functions=functions)


@dataclass(frozen=True, slots=True)
class _Compiled:
    environment: Any
    holds: Any
    message: Any
    condition: Any | None
    variables: Mapping[str, Any]


class Engine:
    """Compiled rules, and what they say. One engine is for one bundle; it may be asked by several threads."""

    def __init__(self) -> None:
        self._environments: dict[Target, Any] = {}
        self._compiled: dict[str, _Compiled] = {}
        # The last view and what the runtime made of it: many rules are asked about one.
        self._last: tuple[Mapping[str, Any] | None, Any, Any] = (None, None, None)

    def add(self, rule: Rule) -> None:
        """Compile a rule. Raises ExpressionProblem."""
        if rule.target not in self._environments:
            self._environments[rule.target] = _environment(rule.target)
        environment = self._environments[rule.target]
        # The API server takes an expression only where it knows its type.
        loose = () if rule.target is Target.POD else (cel.Type.DYN,)
        self._compiled[rule.id] = _Compiled(
            environment,
            _compiled(environment, "assert", rule.holds, (cel.Type.BOOL, *loose)),
            _compiled(environment, "message", rule.message, (cel.Type.STRING, *loose)),
            _compiled(environment, "when", rule.condition, (cel.Type.BOOL, *loose)) if rule.condition else None,
            {name: _compiled(environment, f"variables.{name}", text, ()) for name, text in rule.variables.items()},
        )

    def evaluate(self, rule: Rule, view: Mapping[str, Any]) -> Outcome:
        """What the rule says to the view."""
        compiled = self._compiled[rule.id]
        try:
            activation = self._activation(compiled, view)
        except Exception as error:  # what can't be given to the runtime can't be judged by it
            return Outcome(Answer.BROKEN, _plain_words(error))
        if compiled.condition is not None:
            asked = _truth(compiled.condition, activation)
            if not isinstance(asked, bool):
                return Outcome(Answer.BROKEN, asked)
            if not asked:
                return Outcome(Answer.SILENT)
        holds = _truth(compiled.holds, activation)
        if not isinstance(holds, bool):
            return Outcome(Answer.BROKEN, holds)
        if holds:
            return Outcome(Answer.PASSES)
        return Outcome(Answer.FAILS, _message(compiled.message, activation) or f"{rule.title}.")

    def strain(self, rule: Rule, view: Mapping[str, Any]) -> ExpressionProblem | None:
        """Why a rule can't be asked about a view of the largest size: each of its expressions is tried by itself, so
        that none hides behind a condition. None: it can be."""
        compiled = self._compiled[rule.id]
        parts = {**{f"variables.{name}": each for name, each in compiled.variables.items()}}
        parts |= {"when": compiled.condition, "assert": compiled.holds, "message": compiled.message}
        began = time.thread_time()
        activation = self._activation(compiled, view)
        for key, expression in parts.items():
            problem = None if expression is None else _limit_hit(expression, activation)
            if problem is not None:
                return ExpressionProblem(key, problem)
        took = 1000 * (time.thread_time() - began)
        if took > LONGEST_EVALUATION:
            return ExpressionProblem("assert", f"it takes {took:.0f} ms on the largest view, at most 50")
        return None

    def _activation(self, compiled: _Compiled, view: Mapping[str, Any]) -> Any:
        seen, environment, activation = self._last
        if seen is not view or environment is not compiled.environment:
            activation = compiled.environment.Activation(dict(view))
            self._last = (view, compiled.environment, activation)
        if not compiled.variables:
            return activation
        return self._with_variables(compiled, view)

    def _with_variables(self, compiled: _Compiled, view: Mapping[str, Any]) -> Any:
        """In their order, each knows those before. One that fails is left out, so that only who uses it fails."""
        known: dict[str, Any] = {}
        for name, expression in compiled.variables.items():
            try:
                value = expression.eval(compiled.environment.Activation({**view, "variables": known}))
            except RuntimeError:
                continue
            if value.type() != cel.Type.ERROR:
                known[name] = value.plain_value()
        return compiled.environment.Activation({**view, "variables": known})


def _compiled(environment: Any, key: str, text: str, wanted: Sequence[Any]) -> Any:
    """The expression, of one of the types that are wanted; of any where none is."""
    if len(text) > LONGEST_EXPRESSION:
        raise ExpressionProblem(key, f"it has more than {LONGEST_EXPRESSION} characters")
    try:
        expression = environment.compile(text)
    except RuntimeError as error:
        place = _PLACE.search(str(error))
        if place is None:
            raise ExpressionProblem(key, _plain_words(error)) from error
        raise ExpressionProblem(key, _STATUS.sub("", place[3]), int(place[1]), int(place[2])) from error
    for pattern in _PATTERN.finditer(text):
        _check_pattern(environment, key, text, pattern)
    kind = expression.return_type()
    if wanted and kind not in wanted:
        raise ExpressionProblem(key, f"it is of type {kind.name()}, and has to be of type {wanted[0].name()}")
    return expression


def _check_pattern(environment: Any, key: str, text: str, pattern: re.Match[str]) -> None:
    """A regular expression that is written out: the API server looks at it when it takes the rule, so we do, too."""
    found = environment.compile(f"''.matches({pattern[1]})").eval()
    if found.type() == cel.Type.ERROR:
        before = text[: pattern.start(1)].split("\n")
        raise ExpressionProblem(key, _plain_words(found.value()), len(before), len(before[-1]) + 1)


def _truth(expression: Any, activation: Any) -> bool | str:
    """True or false, or why it is neither."""
    try:
        value = expression.eval(activation)
    except RuntimeError as error:
        return _plain_words(error)
    if value.type() == cel.Type.BOOL:
        return value.value() is True
    if value.type() == cel.Type.ERROR:
        return _plain_words(value.value())
    return f"it is of type {value.type().name()}, and not true or false"


def _message(expression: Any, activation: Any) -> str:
    """The message; empty where the API server would not take it either: no text, empty, too long, several lines."""
    try:
        value = expression.eval(activation)
    except RuntimeError:
        return ""
    text = value.value().strip() if value.type() == cel.Type.STRING else ""
    too_long = len(text.encode("utf-8", "replace")) > LONGEST_MESSAGE
    return "" if too_long or "\n" in text else escaped(text)


def _limit_hit(expression: Any, activation: Any) -> str | None:
    """What limit the expression meets; any other error is what a view may well be lacking."""
    try:
        value = expression.eval(activation)
    except RuntimeError as error:
        return _limit_words(str(error))
    return _limit_words(str(value.value())) if value.type() == cel.Type.ERROR else None


def _limit_words(error: str) -> str | None:
    if "Iteration budget" in error:
        return "on the largest view it loops more than 9,999 times in one evaluation"
    return _plain_words(error) if "recursion limit" in error else None


def _plain_words(error: object) -> str:
    """The runtime's words without its status names, as one line."""
    return escaped(_STATUS.sub("", " ".join(str(error).split())))[:300]
