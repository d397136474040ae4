"""The command line, ``aifactory-hub``. Starts without the hub's dependencies; each command loads what it needs."""

from .app import main

__all__ = ["main"]
