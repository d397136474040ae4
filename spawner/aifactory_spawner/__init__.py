"""The spawner: a notebook server in the team's vCluster, started only after the cluster has granted its quota."""

from .spawner import TenantKubeSpawner

__all__ = ["TenantKubeSpawner"]
