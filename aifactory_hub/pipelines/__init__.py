"""Engines that run jobs: the only folder that speaks to one. Each is a folder of its own with one entry point."""

from .base import Pipeline, PipelineRefused, PipelineUnavailable, RunSpec, Site
from .engines import Engines, UnknownEngine, load_engines

__all__ = [
    "Engines",
    "Pipeline",
    "PipelineRefused",
    "PipelineUnavailable",
    "RunSpec",
    "Site",
    "UnknownEngine",
    "load_engines",
]
