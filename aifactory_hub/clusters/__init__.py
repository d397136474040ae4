"""The host and the tenants' vClusters: clients, and the one watch that says what runs."""

from .api import KubeApi
from .credentials import CredentialError
from .errors import ApiError, ApiNonsense, ApiUnreachable
from .host import connect_host
from .host_watch import HostWatch, PodChange
from .objects import HostObjects
from .tenant_clients import TenantClients, TenantHealth, TenantUnavailable

__all__ = [
    "ApiError",
    "ApiNonsense",
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
