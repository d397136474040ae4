"""Models and deployments, end to end: ``python -m tests.e2e.models`` inside the cluster's network namespace.

A real identity provider, hub, service, S3 server, Kueue and vCluster with the host's admission and network policies.
What the models compute is real, their GPUs are simulated. The last line is ``models: N of N``.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

from ..rig import clear_tenants, finish, open_rig
from ..table import Table
from .site import models_site
from .story import STORY
from .troubles import TROUBLES


def main() -> int:
    rig, folder = open_rig(), Path(tempfile.mkdtemp(prefix="aifactory-models-"))
    print("The GPUs of this cluster are SIMULATED: what these models compute runs on the CPU.", flush=True)
    clear_tenants(rig.cluster)
    steps = (*STORY, *TROUBLES)
    table = Table(len(steps))
    try:
        with models_site(rig, folder) as site:
            for number, (title, body) in enumerate(steps, start=1):
                if not table.run(number, title, partial(body, site)):
                    print(f"--- the end of the service's log\n{site.gated.hub.log_tail('service', 40)}", flush=True)
                    break
    finally:
        clear_tenants(rig.cluster)
    good = table.passed == len(steps)
    finish(folder, good=good)
    print(f"models: {table.passed} of {len(steps)}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
