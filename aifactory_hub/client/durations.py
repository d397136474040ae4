"""Durations as people write them, such as 1h30m."""

from __future__ import annotations

import re

from .errors import ClientError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd])")


def seconds_of(text: str | float) -> int:
    """Seconds of ``90``, ``"90"``, ``"90m"`` or ``"1h30m"``. Raises ClientError."""
    if isinstance(text, str) and _NUMBER.fullmatch(text.strip()):
        text = float(text)  # as on a command line
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        found = float(text)
    elif isinstance(text, str) and text and _PART.sub("", text.replace(" ", "")) == "":
        found = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    else:
        raise ClientError(f"{text!r} is not a duration. Write seconds, or for example 30m, 4h, 1h30m.")
    if found < 1:
        raise ClientError(f"{text!r} is too short. The shortest duration is one second.")
    return round(found)


def spoken(seconds: float) -> str:
    """``1h 05m``, ``3m 20s`` or ``12s``."""
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    if whole >= 60:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole}s"
