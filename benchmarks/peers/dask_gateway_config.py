"""dask-gateway with a database file and a backend that starts nothing: what is left is taking a cluster request in."""

import base64
import os
from collections.abc import AsyncIterator
from typing import Any

from dask_gateway_server.backends.db_base import DBBackendBase  # type: ignore[import-not-found,unused-ignore]


class NothingStarts(DBBackendBase):  # type: ignore[misc,unused-ignore]
    """Each cluster is taken for one that is starting."""

    async def do_setup(self) -> None:
        """Nothing."""

    async def do_cleanup(self) -> None:
        """Nothing."""

    async def do_start_cluster(self, cluster: Any) -> AsyncIterator[dict[str, Any]]:
        """Started at once."""
        yield {}

    async def do_stop_cluster(self, cluster: Any) -> None:
        """Nothing."""

    async def do_check_clusters(self, clusters: list[Any]) -> list[bool]:
        """All are well."""
        return [True] * len(clusters)


c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.DaskGateway.address = os.environ["GATEWAY_ADDRESS"]
c.DaskGateway.backend_class = NothingStarts
c.DaskGateway.log_level = "WARN"
c.Proxy.externally_managed = True
c.Proxy.address = "127.0.0.1:8000"
c.NothingStarts.db_url = os.environ["JOBS_DATABASE"]
c.NothingStarts.db_encrypt_keys = [base64.b64encode(os.urandom(32)).decode()]
c.NothingStarts.cluster_start_timeout = 3600
c.NothingStarts.stop_clusters_on_shutdown = False
