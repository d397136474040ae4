"""The tenant registry: ``tenants.yaml`` read, checked and rendered."""

from .load import load_registry, read_registry
from .model import Addresses, ClusterConfig, IdentityConfig, JobsConfig, NotebookConfig, Registry
from .problems import Problem, RegistryError

__all__ = [
    "Addresses",
    "ClusterConfig",
    "IdentityConfig",
    "JobsConfig",
    "NotebookConfig",
    "Problem",
    "Registry",
    "RegistryError",
    "load_registry",
    "read_registry",
]
