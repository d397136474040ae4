"""``@remote``: call a function here, and it runs in a job."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, overload

from .api import Call, submit
from .job import Job

P = ParamSpec("P")
R = TypeVar("R")


class Remote(Generic[P, R]):
    """A function whose calls are jobs. ``submit`` of it does not wait, ``local`` is the function itself."""

    def __init__(self, function: Callable[P, R], options: dict[str, Any]) -> None:
        self.local = function
        self._options = options
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it in a job, wait, and return what it returns or raise what it raises."""
        value: R = self.submit(*args, **kwargs).result()
        return value

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Run it in a job; the Job, at once."""
        function = self.local
        job: Job = submit(function, args=Call(args, kwargs), **self._options)
        return job


@overload
def remote(function: Callable[P, R], /) -> Remote[P, R]: ...


@overload
def remote(function: None = None, /, **options: Any) -> Callable[[Callable[P, R]], Remote[P, R]]: ...


def remote(function: Callable[P, R] | None = None, /, **options: Any) -> Any:
    """A decorator: calls of the function run in jobs. ``options`` are those of ``submit``."""
    if function is not None:
        return Remote(function, options)
    return lambda wrapped: Remote(wrapped, options)
