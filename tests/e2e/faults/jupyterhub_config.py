# A hub as any other, with a witness that may look and act for everybody, and pods that can be spoiled on purpose.
import os
from typing import Any

import aifactory_hub
from tests.e2e.faults import hooks

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub provides it
c.TenantKubeSpawner.poll_interval = 2
c.TenantKubeSpawner.preemption_grace = 8
c.TenantKubeSpawner.remove_orphans = hooks.REMOVE_ORPHANS in os.environ
c.TenantKubeSpawner.orphan_delay = 5
c.TenantKubeSpawner.http_timeout = int(os.environ.get(hooks.HTTP_TIMEOUT, 60))
c.TenantKubeSpawner.modify_pod_hook = hooks.spoil
c.JupyterHub.services = [{"name": "witness", "api_token": os.environ["FAULTS_TOKEN"]}]
scopes = ["admin:users", "admin:servers", "access:servers", "admin:server_state", "read:metrics"]
c.JupyterHub.load_roles = [
    {"name": "witness", "services": ["witness"], "scopes": scopes},
    # Looks at the administrators' pages, and at nothing else of anybody.
    {"name": "administrator", "users": [hooks.ADMIN], "scopes": ["admin:servers"]},
]
aifactory_hub.configure(c)
hooks.watch_for_death()
