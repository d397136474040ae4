"""The HTTP client, loaded when it is used: it takes longer than all the rest."""

from __future__ import annotations

import sys
from types import ModuleType

_COMMAND_LINE = "httpx._main"


def load_httpx() -> ModuleType:
    """httpx without its command line, for which it would load click, Pygments and rich: half of its time.

    It does without where these are not installed, and it is told so for as long as it is loaded.
    """
    if "httpx" not in sys.modules:
        sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment]
    try:
        import httpx
    finally:
        if sys.modules.get(_COMMAND_LINE, ...) is None:
            del sys.modules[_COMMAND_LINE]
    return httpx
