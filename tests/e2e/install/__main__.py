"""The chart on a real cluster: ``python -m tests.e2e.install`` inside its network namespace.

The last line is ``install: N of N``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ..rig import finish
from ..table import Table
from .site import installed_site
from .steps import STEPS


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="aifactory-install-"))
    print("The GPUs of this cluster are SIMULATED. Nothing of this run asks for one.", flush=True)
    table = Table(len(STEPS))
    with installed_site(folder) as site:
        for number, (title, body) in enumerate(STEPS, 1):
            if not table.run(number, title, lambda step, body=body: body(site, step)):  # type: ignore[misc]
                break
    status = finish(folder, good=table.passed == table.total)
    print(f"install: {table.passed} of {table.total}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
