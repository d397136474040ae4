"""DemoSpawner: the real choice, refusal and ticket, then a process on this machine instead of a pod."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets import default

from aifactory_spawner import overrides
from aifactory_spawner.binding import Binding
from aifactory_spawner.defaults import TeamChoiceDefaults
from aifactory_spawner.jupyterhub5_compat import refusals_uncounted
from aifactory_spawner.server import Server
from aifactory_spawner.start_log import StartLog, quota_text
from aifactory_spawner.team_choice import TeamChoice, home_generation, queue_deadline, refused_link, team_environment
from aifactory_spawner.tokens import narrow_token

from ..domain.environments import Choice
from ..domain.names import home_id, server_id
from ..domain.tickets import TicketState
from ..editors.__main__ import CODE_SERVER_VARIABLE
from ..engines.process_tree import Process, alive, family, kill, processes
from . import editors, labextension
from .cluster import DemoCluster, simulated_state
from .repositories import furnish_repository

GONE = 1  # the exit code of a server that ended without having said how
TOUR = Path(__file__).parent / "home"
NEWS = "@jupyterlab/apputils-extension/notification.jupyterlab-settings"


class DemoSpawner(TeamChoiceDefaults, SimpleLocalProcessSpawner):
    """One server. Nobody is kept from another's files: the demo is one person's machine."""

    # Set by the demo before the hub starts.
    cluster: ClassVar[DemoCluster]
    # The ids of servers that run.
    running_servers: ClassVar[set[str]] = set()

    # LocalProcessSpawner's traits, which the type checker does not see.
    pid: Any
    api_token: Any
    cmd: Any
    args: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._binding: Binding | None = None
        self._choice: Choice | None = None
        self._began: str | None = None
        self._start_task: asyncio.Task[Any] | None = None
        self.start_log = StartLog()
        self.team_choice = TeamChoice(self, self._connected)

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        return [sys.executable, "-m", "jupyterhub.singleuser"]

    @default("args")
    def _default_args(self) -> list[str]:
        return ["--allow-root"] if os.geteuid() == 0 else []

    @default("default_url")
    def _default_default_url(self) -> str:
        return "/lab/tree/tour.ipynb"

    async def _connected(self) -> DemoCluster:
        return self.cluster

    @classmethod
    def cluster_state(cls) -> dict[str, Any]:
        """For the administrators' page: processes in the place of pods."""
        return simulated_state(cls.cluster, len(cls.running_servers))

    def options_from_query(self, query_data: Any) -> Any:
        """Raises SpawnRefused."""
        raise refused_link()

    # What is remembered of a server

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = super().get_state()
        if self._binding is not None:
            state["aifactory"] = {**self._binding.to_state(), "process_began": self._began}
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        kept = state.get("aifactory") or {}
        self._binding = Binding.from_state(kept)
        self._began = kept.get("process_began")
        if self.pid and not self._members():
            # Another process has the number now.
            self.pid = 0

    def clear_state(self) -> None:
        # LocalProcessSpawner calls this, too, when it sees that the process has ended.
        super().clear_state()
        self.running_servers.discard(server_id(self.user.name, self.name))
        self._binding = None
        self._began = None
        self.start_log = StartLog()

    def get_env(self) -> dict[str, str]:
        env: dict[str, str] = {**super().get_env(), **team_environment(self._registry, self._binding)}
        env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
        env["CUDA_VISIBLE_DEVICES"] = ""
        env.update(overrides.environment_variables(self._choice))
        if (code_server := editors.code_server(self.cluster.homes.parent)) is not None:
            env[CODE_SERVER_VARIABLE] = code_server
        env.update(labextension.paths())
        return env

    # Start, stop, poll

    @refusals_uncounted
    async def start(self) -> Any:
        """Gather, decide, take the ticket, then start the process. Raises SpawnRefused; nothing is left behind then."""
        self.start_log.begin()
        self._start_task = asyncio.current_task()
        try:
            plan = await self.team_choice.plan()
            usage = await self.team_choice.admit(plan, ask=True)
            self.start_log.say("quota", quota_text(plan, usage))
            for words in self.team_choice.advice:
                self.start_log.say("rules", words)
            vcluster = plan.tenant.vcluster
            ticket = overrides.ticket_name(self.user.name, self.name, secrets.token_hex(3))
            names = (plan.tenant.name, plan.profile.name, ticket, vcluster.namespace, vcluster.name)
            self._choice = plan.choice
            self._binding = Binding(*names, environment="" if plan.choice is None else plan.choice.name)
            self._set_command()
            narrow_token(self.user.db, self.api_token, plan.tenant.name)
            request = overrides.ticket_request(plan, ticket, self.user.name, self.name)
            await self._ticketed().granted(request, queue_deadline(self._registry.notebook, plan), self.start_log)
            return await self._start_process()
        except BaseException:
            if self._binding is not None:
                await self._ticketed().release()
            raise
        finally:
            self.start_log.end()

    def _set_command(self) -> None:
        """What is run, for this start."""
        traits = overrides.environment_traits(self._choice)
        known = traits.get("cmd")
        self.cmd = self._default_cmd() if known is None else [sys.executable, *known[1:]]
        self.args = self._default_args() if known is None else traits["args"]

    async def _start_process(self) -> Any:
        assert self._binding is not None  # bound just above
        home = (
            self.cluster.homes
            / self._binding.tenant
            / home_id(self.user.name, home_generation(self.authenticator, self.user.name))
        )
        await asyncio.to_thread(furnish, home)
        try:
            whose = (self._binding.tenant, self.user.name)
            await asyncio.to_thread(furnish_repository, self.cluster.homes, home, *whose)
        except (OSError, subprocess.CalledProcessError):
            self.log.exception("%s gets no repository with a pipeline", self._log_name)
        self.home_dir = str(home)
        self.start_log.say("pod", "a process on this machine stands for the pod in the team's vCluster (simulated)")
        with (home.parent / f"{server_id(self.user.name, self.name)}.log").open("ab") as log:
            self.popen_kwargs = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
            url = await super().start()
        found = processes().get(self.pid)
        self._began = None if found is None else found.began
        self.running_servers.add(server_id(self.user.name, self.name))
        name = "JupyterLab" if self._choice is None else self._choice.environment.display_name
        self.start_log.say("image", f"no image is needed, {name} is installed here")
        self.start_log.say("ready", f"process {self.pid} runs, {name} is starting")
        return url

    async def stop(self, now: bool = False) -> None:
        """End the process and all that it started, then give the ticket back."""
        if self._starting and asyncio.current_task() is not self._start_task:
            assert self._start_task is not None  # it is starting
            # Calling off a start cleans up after itself.
            self._start_task.cancel()
            await asyncio.wait([self._start_task])
        server = None if self._binding is None else self._ticketed()
        members = self._members()
        if members:
            # Not the gentle signal: without a terminal to ask on, a notebook server would wait for an answer.
            await super().stop(now=True)
            kill(members)
            while alive(members):
                await asyncio.sleep(0.05)
        if server is not None:
            await server.release()

    async def poll(self) -> int | None:
        """None while it runs or starts, else its exit code. One without a ticket, as of an earlier demo, is ended."""
        if self._starting:
            return None
        if self._binding is None:
            return GONE
        server = self._ticketed()
        code: int | None = await super().poll()
        if code is not None:
            await server.release()
            return code
        ticket = await server.ticket()
        if ticket.state is TicketState.ADMITTED:
            return None
        self.log.warning("%s is stopped: its ticket is %s. %s", self._log_name, ticket.state, ticket.message)
        await self.stop()
        return GONE

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Each step of the start, from the first on, however late somebody asks."""
        async for event in self.start_log.follow():
            yield event

    @property
    def _starting(self) -> bool:
        return self._start_task is not None and not self._start_task.done()

    def _ticketed(self) -> Server:
        assert self._binding is not None  # asked for after a start has bound it
        cluster: Any = self.cluster
        return Server(cluster, self._binding, "", {})

    def _members(self) -> list[Process]:
        """The server's process and those below it; none when the number is another process's by now."""
        found = family(self.pid, processes()) if self.pid else []
        return found if found and found[0].began == self._began else []


def furnish(home: Path) -> None:
    """Put the tour into a person's folder; what they have changed there stays."""
    home.mkdir(parents=True, exist_ok=True)
    for source in TOUR.glob("*.in"):
        target = home / source.name.removesuffix(".in")
        if not target.exists():
            shutil.copyfile(source, target)
    settings = home / ".jupyter/lab/user-settings" / NEWS
    if not settings.exists():
        settings.parent.mkdir(parents=True, exist_ok=True)
        # JupyterLab would ask at the first start whether it may fetch news.
        settings.write_text('{"fetchNews": "false", "checkForUpdates": false}')
