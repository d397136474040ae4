"""Engines that run jobs: the only folder that speaks to one."""

from .base import Pipeline, PipelineUnavailable, RunSpec
from .kubernetes_job import KubernetesJobPipeline
from .memory import MemoryPipeline

__all__ = ["KubernetesJobPipeline", "MemoryPipeline", "Pipeline", "PipelineUnavailable", "RunSpec"]
