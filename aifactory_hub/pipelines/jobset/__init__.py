"""Engine ``jobset``: one command on several nodes."""

from .engine import JobSetPipeline

__all__ = ["JobSetPipeline"]
