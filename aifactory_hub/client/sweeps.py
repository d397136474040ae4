"""One call, many jobs, one table."""

from __future__ import annotations

import itertools
import math
import os
import shlex
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .api import submit
from .errors import ClientError
from .job_list import JobTable
from .printable import line

# More jobs than this in one call are more likely a mistake than a wish.
MOST = 1000
# Parameters that a table of the jobs shows, and characters of a name or value of one: the service takes 4 KiB.
_MOST_NAMED, _LONGEST = 20, 60


def sweep(
    what: str | os.PathLike[str] | Callable[..., Any],
    grid: Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]],
    *,
    name: str | None = None,
    idempotency_key: str | None = None,
    **options: Any,
) -> JobTable:
    """Submit a job for each combination of a ``grid`` (values by name) or each mapping of a sequence; see ``submit``.

    A function gets the values as arguments, a notebook as parameters; in a command, ``{name}`` stands for the value.
    Two calls with one ``idempotency_key`` make the same jobs.
    """
    points = combinations(grid)
    mark = idempotency_key or uuid.uuid4().hex
    found = JobTable()
    for number, point in enumerate(points):
        said = ", ".join(f"{key}={value}" for key, value in point.items())
        label = f"{name or _name(what)} [{said}]"[:100]
        how = {
            "name": label,
            "sweep": mark[:64],
            "sweep_parameters": _plain(point),
            "idempotency_key": f"{mark[:80]}-{number}",
            **options,
        }
        found.append(submit(_filled(what, point), **_given(what, point), **how))
    return found


def combinations(grid: Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """All points of the grid, the last name changing fastest. Raises ClientError."""
    if isinstance(grid, Mapping):
        values = {key: list(value) for key, value in grid.items() if not isinstance(value, str)}
        if plain := grid.keys() - values.keys():
            raise ClientError(f"The values of {', '.join(sorted(plain))} are one text: write a list of them.")
        points = [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]
    else:
        points = [dict(point) for point in grid]
    if not points or len(points) > MOST:
        raise ClientError(f"The sweep has {len(points)} jobs: from 1 to {MOST} are possible.")
    return points


def _is_notebook(what: object) -> bool:
    return not callable(what) and os.fspath(what).endswith(".ipynb")  # type: ignore[call-overload]


def _given(what: object, point: Mapping[str, Any]) -> dict[str, Any]:
    if callable(what):
        return {"args": point}
    return {"parameters": point} if _is_notebook(what) else {}


def _filled(what: Any, point: Mapping[str, Any]) -> Any:
    if callable(what) or _is_notebook(what):
        return what
    text = os.fspath(what)
    for key, value in point.items():
        text = text.replace(f"{{{key}}}", shlex.quote(str(value)))
    if text == what:
        names = " or ".join(f"{{{key}}}" for key in point)
        raise ClientError(f"The command has no {names} in it, so all jobs would be the same.")
    return text


def _plain(point: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a point as the columns of a table have them: plain ones as they are, others as short text."""
    return {line(name)[:_LONGEST]: _plain_value(value) for name, value in list(point.items())[:_MOST_NAMED]}


def _plain_value(value: Any) -> Any:
    exact = isinstance(value, int) and abs(value) <= 2**53
    if value is None or exact or (isinstance(value, float) and math.isfinite(value)):
        return value
    return line(value)[:_LONGEST]


def _name(what: Any) -> str:
    return str(getattr(what, "__name__", "") or os.fspath(what))[:40]
