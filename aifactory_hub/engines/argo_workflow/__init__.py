"""Engine ``argo-workflow``: the WorkflowTemplates that a team has published, run by Argo in its vCluster."""

from .engine import ArgoWorkflowEngine

__all__ = ["ArgoWorkflowEngine"]
