"""Engine ``jobset``: one command on several nodes."""

from .engine import JobSetEngine

__all__ = ["JobSetEngine"]
