"""What can go wrong, by name, each with a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What every problem has; the rest are the numbers of this one.
_WORDS = frozenset({"type", "title", "status", "detail", "reason", "field"})


class ClientError(Exception):
    """Everything that this package raises on purpose."""


class NotInNotebook(ClientError):
    """An environment variable that a notebook server has is missing: ``variable`` says which."""

    def __init__(self, variable: str) -> None:
        super().__init__(
            f"The environment variable {variable} is missing. It is set in notebooks that the hub started. "
            "If this is one, it was started before the job service was set up: restart your server."
        )
        self.variable = variable


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
        super().__init__(self.message)


class SubmitRefused(Refused):
    """A job was not taken. ``numbers`` may have resource, asked, used, limit and fits_now."""


class UnknownJob(Refused):
    """There is no such job in the token's teams."""


class FilesTooLarge(SubmitRefused):
    """The files to send are more than the service takes; ``biggest`` names the largest with their bytes."""

    def __init__(self, limit: int, size: int, biggest: Mapping[str, int]) -> None:
        listed = ", ".join(f"{name} ({_readable(bytes_)})" for name, bytes_ in biggest.items())
        message = (
            f"The files are too large to send: {_readable(size)} when packed so far, the limit is "
            f"{_readable(limit)}. The biggest: {listed}. Leave some out with a file .aifactoryignore, or pass "
            "files=<a smaller folder> or files=None."
        )
        body = {"reason": "too-large", "detail": message, "field": "files", "asked": size, "limit": limit}
        super().__init__(413, body)
        self.biggest = dict(biggest)


def _readable(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
