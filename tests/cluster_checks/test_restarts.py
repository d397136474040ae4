"""The table of restarts leaves out no part of a site."""

from __future__ import annotations

from pathlib import Path

from tests.cluster import components
from tests.cluster.settings import NODE, TENANTS
from tests.e2e.cluster import Cluster
from tests.e2e.processes import HubUnderTest
from tests.e2e.restarts.parts import Parts


def test_every_lasting_process_and_every_part_of_the_hub_is_restarted() -> None:
    nowhere = Path("/nowhere")
    hub = HubUnderTest(folder=nowhere, tenants=nowhere, client_secret="s", kubeconfig=nowhere)
    parts = Parts(hub, Cluster(nowhere, nowhere, NODE)).all()
    names = [part.name for part in parts]
    assert len(set(names)) == len(names)
    assert set(components.LASTING) <= set(names)
    assert {"hub", "job service", "proxy", "Kueue", *(f"vCluster {name}" for name in TENANTS)} <= set(names)
    # Only the proxy is in the way of a request to a notebook.
    assert [part.name for part in parts if part.carries] == ["proxy"]
