"""Engine ``local``: processes on this machine, for the demo."""

from .engine import LocalPipeline, make_local

__all__ = ["LocalPipeline", "make_local"]
