"""Shows something in a notebook, and keeps it up to date from a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .notices import in_notebook

# A card or table is followed no longer than this, in seconds: the notebook may stay open for weeks.
LONGEST = 24 * 3600.0


class Shown:
    """Both forms of a job or table at one moment, without the hook that begins to follow."""

    def __init__(self, html: str, text: str) -> None:
        self._html = html
        self._text = text

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._text


def show_live(
    first: Shown, follow: Callable[[Any], None] | None, *, name: str, display: Callable[..., Any] | None = None
) -> threading.Thread | None:
    """Display ``first`` and, in a notebook, have ``follow`` update its handle in a thread of this name.

    ``follow`` is None for what changes no more. Returns the thread.
    """
    if display is None:
        from IPython.display import display as shown

        display = shown
    if follow is None or not in_notebook():
        display(first)
        return None
    handle = display(first, display_id=True)
    if handle is None:
        return None
    thread = threading.Thread(target=follow, args=(handle,), name=name, daemon=True)
    thread.start()
    return thread
