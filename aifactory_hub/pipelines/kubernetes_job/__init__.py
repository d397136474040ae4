"""Engine ``kubernetes-job``: batch/v1 Jobs."""

from .engine import KubernetesJobPipeline

__all__ = ["KubernetesJobPipeline"]
