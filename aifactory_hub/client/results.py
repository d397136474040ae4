"""What a function returned or raised in its job."""

from __future__ import annotations

import builtins
import pickle
import sys
from collections.abc import Callable, Mapping
from typing import Any

from .errors import ClientError, RemoteError


class RemoteTraceback(Exception):
    """The cause of an error that was raised in a job: where in the job it was raised."""

    def __str__(self) -> str:
        return f"\n\nIn the job:\n{self.args[0]}"


def read_result(told: Mapping[str, Any], pickled: Callable[[], bytes] | None, *, own: bool) -> Any:
    """The value, or the error raised. ``told`` is what the job said, ``pickled`` reads its pickle.

    Raises ClientError for a pickle of another Python, and for one of somebody else's job: reading a pickle runs what
    its maker wants.
    """
    if not told["ok"]:
        raise _error(told, pickled, own=own) from RemoteTraceback(told["traceback"])
    if told["format"] == "json":
        return told["value"]
    _check_python(told)
    if not own:
        raise ClientError(
            "The result is a pickle of somebody else's job. Reading it would run what is in it as you: ask its owner "
            "for a file instead."
        )
    assert pickled is not None  # the job wrote both
    return pickle.loads(pickled())  # noqa: S301 - one's own job, the same Python


def _error(told: Mapping[str, Any], pickled: Callable[[], bytes] | None, *, own: bool) -> BaseException:
    """The error itself if it can be had safely, else one that tells of it."""
    known = getattr(builtins, told["type"], None)
    if isinstance(known, type) and issubclass(known, Exception) and not own:
        return known(told["message"])
    if own and pickled is not None and told.get("python") == list(sys.version_info[:2]):
        try:
            error = pickle.loads(pickled())  # noqa: S301 - one's own job, the same Python
        except Exception:
            return RemoteError(told["type"], told["message"], told["traceback"])
        if isinstance(error, Exception):
            return error
    return RemoteError(told["type"], told["message"], told["traceback"])


def _check_python(told: Mapping[str, Any]) -> None:
    here = list(sys.version_info[:2])
    if told["python"] != here:
        theirs, ours = (".".join(map(str, version)) for version in (told["python"], here))
        raise ClientError(
            f"The result is a pickle of Python {theirs}, and this is Python {ours}: a pickle of another minor version "
            "can crash Python. Return plain values, or write a file."
        )
