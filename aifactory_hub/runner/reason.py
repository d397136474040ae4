"""One line that says why a command failed, from the command to the runner: a file that the environment names.

A command of any kind may write it. The runner reads it when the command has failed, and the job shows it as its reason.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "AIFACTORY_REASON_FILE"
_LONGEST = 1000


def write_reason(text: str, environment: Mapping[str, str] = os.environ) -> None:
    """Keep the first line of ``text``. Nothing happens outside of a job, or when the file can't be written."""
    path = environment.get(VARIABLE)
    if not path:
        return
    try:
        Path(path).write_text(one_line(text), encoding="utf-8")
    except OSError:
        return


def read_reason(path: Path) -> str | None:
    """What the command wrote; None when it wrote nothing. Only its first 4 KiB are looked at."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return one_line(file.read(4 * _LONGEST).decode("utf-8", "replace")) or None
    except OSError:
        return None


def one_line(text: str) -> str:
    """The first line that has anything, without characters that do not print, cut to 1,000."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    return "".join(c if c.isprintable() else " " for c in line).strip()[:_LONGEST]
