"""What kubespawner's own spawner says of a server that runs, asked as a hub asks that has just started.

A program of its own, because kubespawner keeps its client and its watch for the whole process:
``python -m tests.e2e.faults.stock KUBECONFIG POD``. JupyterHub takes a number, and an error, for a server that stopped.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from kubespawner import KubeSpawner

from aifactory_hub import constants

from ..cluster import Cluster
from ..processes import ROOT
from .apis import kubeconfig_and_token

TIMEOUT = 100.0


def verdict(cluster: Cluster, tenant: str, pod: str) -> str:
    """Asked through the tenant's API as the hub reaches it, with the hub's own credential."""
    config, _ = kubeconfig_and_token(cluster.get("secret", "hub-notebooks", "-n", f"vc-{tenant}"))
    address = cluster.get("service", tenant, "-n", f"vc-{tenant}")["spec"]["clusterIP"]
    config = config.replace(f"https://{tenant}.vc-{tenant}.svc:443", f"https://{address}:443")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kubeconfig")
        path.touch(mode=0o600)
        path.write_text(config)
        argv = [sys.executable, "-m", "tests.e2e.faults.stock", str(path), pod]
        sources = os.pathsep.join(map(str, (ROOT, ROOT / "spawner", ROOT / "profiles")))
        environment = os.environ | {"KUBECONFIG": str(path), "PYTHONPATH": sources}
        done = subprocess.run(argv, env=environment, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT + 60)
    if done.returncode:
        raise RuntimeError(f"kubespawner could not be asked: {done.stderr[-2000:]}")
    return done.stdout.strip()


async def ask(pod: str) -> list[Any]:
    """What two polls give: an exit code, None for a server that runs, or the name of the error that is raised."""
    logging.disable(logging.CRITICAL)
    spawner = KubeSpawner(_mock=True)
    spawner.namespace, spawner.pod_name = constants.NOTEBOOKS_NAMESPACE, pod
    said: list[Any] = []
    for _ in range(2):
        try:
            async with asyncio.timeout(TIMEOUT / 2):
                said.append(await spawner.poll())
        except Exception as error:
            said.append(type(error).__name__)
    return said


def main() -> None:
    said = asyncio.run(ask(sys.argv[2]))
    words = {"null": "it runs"}
    print(", then ".join(words.get(json.dumps(what), str(what)) for what in said), flush=True)
    # Its watch and its client would be waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
