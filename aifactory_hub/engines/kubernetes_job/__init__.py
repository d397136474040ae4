"""Engine ``kubernetes-job``: batch/v1 Jobs."""

from .engine import KubernetesJobEngine

__all__ = ["KubernetesJobEngine"]
