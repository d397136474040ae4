"""``aifactory-hub service``: the process."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from sqlalchemy.exc import SQLAlchemyError

from ..clusters import CredentialError
from ..engines.installed import UnknownEngine
from ..policy import PolicyError
from ..registry import RegistryError
from ..settings import ServiceSettings, SettingsError, read_service_settings
from ..store import LeaseTaken
from .api.app import make_app, make_server
from .executors import let_the_event_loop_go_first
from .gc_tuning import leave_out_what_is_there
from .real_site import real_context

log = logging.getLogger("aifactory_hub.service")


def main() -> None:
    """Run until SIGTERM. Raises SystemExit: 2 when settings, registry, rules, credentials or database can't be used, 3
    when the database was replaced under it or may be another process's by now."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        asyncio.run(_serve(read_service_settings()))
    except (SettingsError, RegistryError, PolicyError, CredentialError, LeaseTaken, UnknownEngine) as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from error
    except SQLAlchemyError as error:
        # Of the first line only: the rest may repeat the address, which can hold a password.
        print(f"AIFACTORY_HUB_SERVICE_DATABASE can't be used: {str(error).splitlines()[0]}", file=sys.stderr)
        raise SystemExit(2) from error


async def _serve(settings: ServiceSettings) -> None:
    stopped = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
    async with real_context(settings) as context:
        server = make_server(make_app(context, settings.prefix))
        leave_out_what_is_there()
        let_the_event_loop_go_first()
        server.listen(settings.bind.port, settings.bind.host)
        log.info("listening on %s%s", settings.bind.url, settings.prefix)
        periodic_tasks = asyncio.create_task(context.periodic_tasks.run(), name="periodic_tasks")
        waiting = asyncio.create_task(stopped.wait(), name="stop")
        await asyncio.wait({periodic_tasks, waiting}, return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping; jobs go on, and the next start follows them")
        server.stop()
        await server.close_all_connections()
        failed = periodic_tasks.exception() if periodic_tasks.done() else None
        for task in (periodic_tasks, waiting):
            task.cancel()
        await asyncio.gather(periodic_tasks, waiting, return_exceptions=True)
    if isinstance(failed, BaseExceptionGroup):
        log.critical("this process must not go on: %s", failed.exceptions[0])
        raise SystemExit(3)
