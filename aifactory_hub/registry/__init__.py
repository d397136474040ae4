"""The tenant registry: ``tenants.yaml`` read, checked and rendered."""

from .load import load_registry, read_registry
from .model import Addresses, ClusterConfig, IdentityConfig, JobsConfig, NotebookConfig, Registry, Site
from .problems import Problem, RegistryError
from .provider import FileStatus, Phase, RegistryProvider

__all__ = [
    "Addresses",
    "ClusterConfig",
    "FileStatus",
    "IdentityConfig",
    "JobsConfig",
    "NotebookConfig",
    "Phase",
    "Problem",
    "Registry",
    "RegistryError",
    "RegistryProvider",
    "Site",
    "load_registry",
    "read_registry",
]
