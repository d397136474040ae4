"""jupyter-scheduler with its pages' REST API; with JOBS_START=no it takes a job in and starts no process for it.

A job's process costs a second of processor time, which is not the cost of taking it in: without it this is as fast as
jupyter-scheduler can be, and comparable with a service whose cluster is in memory.
"""

import os
from itertools import count
from types import SimpleNamespace
from typing import Any

from jupyter_scheduler import scheduler

c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.ServerApp.jpserver_extensions = {"jupyter_scheduler": True}
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.allow_root = True
c.SchedulerApp.db_url = os.environ["JOBS_DATABASE"]
c.SchedulerApp.environment_manager_class = "jupyter_scheduler.environments.StaticEnvironmentManager"

_NUMBERS = count(10**6)


class _NoProcess:
    """Looks started."""

    def __init__(self, target: Any) -> None:
        self.pid = next(_NUMBERS)

    def start(self) -> None:
        """Nothing."""


if os.environ["JOBS_START"] == "no":
    scheduler.mp = SimpleNamespace(get_context=lambda _: SimpleNamespace(Process=_NoProcess))
