"""Engines that run jobs: the only folder that speaks to one. Each is a folder of its own with one entry point."""

from .base import Engine, EngineRefused, EngineUnavailable, RunSpec, Site
from .installed import Engines, UnknownEngine, load_engines

__all__ = [
    "Engine",
    "EngineRefused",
    "EngineUnavailable",
    "Engines",
    "RunSpec",
    "Site",
    "UnknownEngine",
    "load_engines",
]
