"""What can go wrong, by name, each with a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .printable import lines

# What every problem has; the rest are the numbers of this one.
_WORDS = frozenset({"type", "title", "status", "detail", "reason", "field"})


class ClientError(Exception):
    """Everything that this package raises on purpose."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the message. The way through this package helps nobody."""
        return [f"{type(self).__name__}: {self}"]


class NotInNotebook(ClientError):
    """An environment variable that a notebook server has is missing: ``variable`` says which."""

    def __init__(self, variable: str) -> None:
        super().__init__(
            f"The environment variable {variable} is missing. It is set in notebooks that the hub started. "
            "If this is one, it was started before the job service was set up: restart your server."
        )
        self.variable = variable


class BadToken(ClientError):
    """The token can't be one of the hub's."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The hub token {why}. A token is printable ASCII without spaces: copy it again from the hub's page Token,"
            " and set JUPYTERHUB_API_TOKEN to it."
        )


class ServiceUnavailable(ClientError):
    """The job service, or something that it needs, did not answer. Nothing is known, so try again."""


class Refused(ClientError):
    """The service said no. ``reason`` is a stable slug, ``field`` what it is about, ``numbers`` what it counted."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.reason = str(body.get("reason", "unknown"))
        self.message = str(body.get("detail", f"The service answered {status}."))
        self.field: str | None = body.get("field")
        self.numbers = {k: v for k, v in body.items() if k not in _WORDS}
        super().__init__(lines(self.message))


class SubmitRefused(Refused):
    """A job was not taken. ``numbers`` may have resource, asked, used, limit and fits_now."""


class UnknownJob(Refused):
    """There is no such job in the token's teams."""


class FilesTooLarge(SubmitRefused):
    """The files to send are more than the service takes; ``biggest`` names the largest with their bytes."""

    def __init__(self, limit: int, size: int, biggest: Mapping[str, int]) -> None:
        listed = ", ".join(f"{name} ({readable(bytes_)})" for name, bytes_ in biggest.items())
        message = (
            f"The files are too large to send: {readable(size)} when packed so far, the limit is "
            f"{readable(limit)}. The biggest: {listed}. Leave some out with a file .aifactoryignore, or pass "
            "files=<a smaller folder> or files=None."
        )
        body = {"reason": "too-large", "detail": message, "field": "files", "asked": size, "limit": limit}
        super().__init__(413, body)
        self.biggest = dict(biggest)


class NotShippable(ClientError):
    """A function can't travel as it is. ``problems`` says of each name why; nothing was sent."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        listed = "\n".join(f"  {name}: {why}" for name, why in problems.items())
        super().__init__(
            f"The function can't be sent, because of what it uses:\n{listed}\n"
            "Pass plain values as arguments, read data from files, or move code into a module beside the notebook."
        )
        self.problems = dict(problems)


class JobFailed(ClientError):
    """The job did not succeed: ``state``, ``reason``, ``exit_code`` and the end of its log say how."""

    def __init__(self, job_id: str, state: str, reason: str | None, exit_code: int | None, log: str) -> None:
        last = f"\nIts last lines:\n{log}" if log else ""
        super().__init__(lines(f"Job {job_id} is {state}: {reason or 'no reason given'}.{last}"))
        self.job_id = job_id
        self.state = state
        self.reason = reason
        self.exit_code = exit_code


class RemoteError(ClientError):
    """A function raised in its job. ``type`` and ``message`` are the error's, ``traceback`` is the job's own."""

    def __init__(self, type: str, message: str, traceback: str) -> None:
        told = f"{type}: {message}\n\nIn the job:\n{traceback}" if traceback else f"{type}: {message}"
        super().__init__(lines(told))
        self.type = type
        self.message = message
        self.traceback = traceback


def readable(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
