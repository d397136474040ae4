"""Commands as they are typed in a notebook's terminal."""

from __future__ import annotations

import asyncio

from click.testing import CliRunner, Result

from aifactory_hub.client import api


async def run(command: object, *args: str) -> Result:
    """Run a command of the command line, in a thread: the service is in this one."""

    def invoke() -> Result:
        result = CliRunner().invoke(command, args)  # type: ignore[arg-type]
        api.forget_sessions()
        return result

    return await asyncio.to_thread(invoke)
