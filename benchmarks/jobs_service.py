"""The service and a hub for the benchmark of jobs, each a process of its own so that its CPU time can be read."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.support.fake_hub import FakeHub, scopes_for
from tests.support.job_service import running_service


async def main(folder: Path) -> None:
    """Say where the service is, then serve until told to end."""
    hub = FakeHub()
    hub.start()
    hub.add("ada", "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    async with running_service(folder, hub=hub, reconciling=False) as service:
        print(json.dumps({"url": service.url}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    await hub.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
