"""Engine ``trainjob``: Kubeflow Trainer's TrainJobs, on the training runtimes that a team has published."""

from .engine import TrainJobEngine

__all__ = ["TrainJobEngine"]
