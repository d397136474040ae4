"""Engine ``local``: processes on this machine, for the demo."""

from .engine import LocalEngine, make_local

__all__ = ["LocalEngine", "make_local"]
