"""What a Jupyter server tells of itself: what works counts, and an open page does not."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from aifactory_hub.client.errors import Refused
from aifactory_hub.client.session import Account
from aifactory_hub.lab.activity import ActivitySender, ServerUse, read_notice
from aifactory_hub.lab.upstream import Upstream

BEGAN = 1_000_000.0


@dataclass
class Machine:
    """A server's insides, which a test sets, and its time."""

    folder: Path
    now: float = BEGAN
    own: float = 0.0
    kernels: dict[str, Any] = field(default_factory=dict)
    terminals: dict[str, Any] = field(default_factory=dict)

    def use(self, **environment: str) -> ServerUse:
        manager = SimpleNamespace(
            list_kernel_ids=lambda: list(self.kernels), get_kernel=lambda name: self.kernels[name]
        )
        settings = {"terminal_manager": SimpleNamespace(terminals=self.terminals)}
        app = SimpleNamespace(kernel_manager=manager, web_app=SimpleNamespace(settings=settings))
        return ServerUse(
            app,
            environment=environment,
            cgroup=self.folder,
            proc=Path("/proc"),
            clock=lambda: self.now,
            own_cpu=lambda: self.own,
        )

    def cpu(self, seconds: float) -> None:
        (self.folder / "cpu.stat").write_text(f"usage_usec {int(seconds * 1e6)}\nuser_usec 3\n")


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_nothing_has_worked_since_the_start(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    use = machine.use()
    machine.now += 600
    assert use.look().last == BEGAN
    assert use.look().what == ()


def test_a_kernel_at_work_counts_and_one_that_is_idle_says_when_it_worked(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    kernel = SimpleNamespace(execution_state="busy", last_activity=at(BEGAN + 10))
    machine.kernels["k"] = kernel
    use = machine.use()
    machine.now += 600
    assert use.look().what == ("1 kernel at work",)
    assert use.look().last == BEGAN + 600
    kernel.execution_state, kernel.last_activity = "idle", at(BEGAN + 630)
    machine.now += 600
    found = use.look()
    assert (found.last, found.what) == (BEGAN + 630, ())
    # A kernel that is gone has still worked.
    machine.kernels.clear()
    assert use.look().last == BEGAN + 630


def test_a_command_in_a_terminal_counts_as_long_as_it_runs(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    shell = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess,sys; subprocess.run(['cat']); print(1, flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    quiet = subprocess.Popen(["cat"], stdin=subprocess.PIPE)  # a shell in which nothing was started
    try:
        machine.terminals["1"] = SimpleNamespace(ptyproc=SimpleNamespace(pid=quiet.pid), last_activity=at(BEGAN + 5))
        use = machine.use()
        assert use.look().what == ()
        machine.terminals["2"] = SimpleNamespace(ptyproc=SimpleNamespace(pid=shell.pid), last_activity=at(BEGAN + 5))
        while not Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split():
            pass
        assert use.look().what == ("commands in 1 terminal",)
    finally:
        for each in (shell, quiet):
            each.kill()
            each.communicate()
    machine.terminals.clear()
    assert use.look().what == ()


def test_a_process_that_somebody_left_behind_counts_by_its_cpu(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.cpu(100.0)
    use = machine.use(MEM_LIMIT="1")
    assert use.look().what == ()
    # This server's own work is no use: pages that are open ask it all the time.
    machine.cpu(102.0)
    machine.own = 1.9
    machine.now += 60
    assert use.look().what == ()
    machine.cpu(103.0)
    assert use.look().what == ("processes took 1.0 s of CPU",)
    assert use.look().what == ()
    assert use.look().last == BEGAN + 60


def test_outside_of_a_container_the_machines_cpu_is_nobodys(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.cpu(1.0)
    use = machine.use()
    use.look()
    machine.cpu(50.0)
    assert use.look().what == ()


def test_version_1_of_control_groups_tells_it_too(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "cpuacct").mkdir()
    file = tmp_path / "cpuacct/cpuacct.usage"
    file.write_text("1000000000\n")
    use = machine.use(MEM_LIMIT="1")
    use.look()
    file.write_text("3500000000\n")
    assert use.look().what == ("processes took 2.5 s of CPU",)


@dataclass
class Service:
    """What the job service hears and answers."""

    answer: httpx.Response = field(default_factory=lambda: httpx.Response(200, json={"notice": None}))
    asked: list[httpx.Request] = field(default_factory=list)
    away: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.away:
            raise httpx.ConnectError("away")
        return self.answer

    def sender(self, machine: Machine) -> ActivitySender:
        account = Account("http://service/services/aifactory", "server-token", server="second")
        return ActivitySender(machine.use(), Upstream(account, transport=httpx.MockTransport(self)), "second")


NOTICE = {"why": "Nothing has used it.", "until": 1_000_600, "stops": True, "keep_seconds": 7200, "keeps_left": 3}


async def test_a_report_has_the_form_that_was_agreed(tmp_path: Path) -> None:
    service, machine = Service(), Machine(tmp_path)
    machine.kernels["k"] = SimpleNamespace(execution_state="busy", last_activity=None)
    sender = service.sender(machine)
    await sender.send()
    (request,) = service.asked
    assert request.url.path == "/services/aifactory/api/v1/servers/activity"
    assert request.headers["Authorization"] == "Bearer server-token"
    assert json.loads(request.content) == {
        "server": "second",
        "kind": "lab",
        "busy": True,
        "last_used": "1970-01-12T13:46:40.000+00:00",
        "what": ["1 kernel at work"],
    }


async def test_a_notice_comes_with_the_answer_and_stays_while_the_service_is_away(tmp_path: Path) -> None:
    service, machine = Service(), Machine(tmp_path)
    sender = service.sender(machine)
    service.answer = httpx.Response(200, json={"notice": NOTICE})
    await sender.send()
    assert sender.notice is not None and sender.notice["until"] == "1970-01-12T13:56:40+00:00"
    service.away = True
    await sender.send()
    assert sender.notice is not None
    service.away, service.answer = False, httpx.Response(200, json={"notice": None})
    await sender.keep()
    assert sender.notice is None
    assert json.loads(service.asked[-1].content) == {"server": "second"}
    service.answer = httpx.Response(409, json={"reason": "not-kept", "detail": "3 times in a row"})
    with pytest.raises(Refused):
        await sender.keep()


@pytest.mark.parametrize("said", [None, [], {}, {"until": "soon"}, {"why": "x"}])
def test_an_answer_that_is_none_is_no_notice(said: Any) -> None:
    assert read_notice(said) is None
