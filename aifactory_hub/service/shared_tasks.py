"""Tasks whose result several callers wait for, each behind ``asyncio.shield``."""

from __future__ import annotations

import asyncio
from typing import Any


def has_failed(task: asyncio.Task[Any]) -> bool:
    """Whether the task ended without a result."""
    return task.done() and (task.cancelled() or task.exception() is not None)


def retrieve_exception(task: asyncio.Task[Any]) -> None:
    """A callback for the task's end: asyncio then logs no exception that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
