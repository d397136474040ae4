"""The host and the tenants' vClusters: clients, and the one watch that says what runs."""

from .api import ApiError, ApiUnreachable, KubeApi
from .credentials import CredentialError
from .host import connect_host
from .host_watch import HostWatch, PodChange
from .objects import HostObjects
from .tenant_clients import TenantClients, TenantHealth, TenantUnavailable

__all__ = [
    "ApiError",
    "ApiUnreachable",
    "CredentialError",
    "HostObjects",
    "HostWatch",
    "KubeApi",
    "PodChange",
    "TenantClients",
    "TenantHealth",
    "TenantUnavailable",
    "connect_host",
]
