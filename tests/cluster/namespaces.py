"""Commands and lasting processes inside the cluster's own mount, network and process namespaces."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from . import processes
from .console import ClusterError, wait_until
from .settings import BRIDGE, BRIDGE_ADDRESS, HERE, SERVICE_NETWORK, Layout

# In the environment of what `exec` runs, and so of its children: down ends those too.
EXEC_MARK = "AIFACTORY_TEST_CLUSTER_EXEC"


def log_tail(path: Path, lines: int = 15) -> str:
    try:
        text = path.read_text(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        text = ["(no log)"]
    return "".join(f"\n    {line[:400]}" for line in text)


class Namespaces:
    """Entered with nsenter, not `ip netns exec`: that makes a new mount namespace for each command,
    and containerd would not see what kubelet mounts."""

    def __init__(self, where: Layout) -> None:
        self.where = where
        self._file = where.run / "holder.json"

    @property
    def holder(self) -> processes.Identity | None:
        return processes.load(self._file)

    def start(self) -> None:
        ready, log = self.where.run / "holder.ready", self.where.log / "holder.log"
        ready.unlink(missing_ok=True)
        unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        script = [sys.executable, "-I", "-S", str(HERE / "holder.py")]
        arguments = [str(self.where.run), BRIDGE, f"{BRIDGE_ADDRESS}/16", SERVICE_NETWORK]
        with log.open("w") as out:
            outer = subprocess.Popen([*unshare, *script, *arguments], stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=out, cwd="/", start_new_session=True)  # fmt: skip
        # Both are saved at once: should this process be killed now, the next run finds the outer one.
        self._save(outer.pid, "unshare.json")
        wait_until("namespaces", lambda: ready.exists() or outer.poll() is not None, 20, 0.02)
        inner = processes.children(outer.pid)
        if outer.poll() is not None or not inner:
            raise ClusterError(f"the namespaces' holder ended:{log_tail(log)}")
        self._save(inner[0], "holder.json")

    def _save(self, pid: int, name: str) -> None:
        identity = processes.identify(pid)
        if identity is None:
            raise ClusterError("the namespaces' holder ended at once")
        identity.save(self.where.run / name)

    def stop(self) -> None:
        """Kill the holder, and with it all that runs in its namespaces; wait until they are gone."""
        for name in ("holder.json", "unshare.json"):
            identity = processes.load(self.where.run / name)
            if identity:
                identity.kill()
                if not processes.wait_gone(identity, 30):
                    raise ClusterError(f"process {identity.pid} can't be killed")
        for path in self.where.pids.glob("*.json"):
            identity = processes.load(path)
            if identity and not processes.wait_gone(identity, 10):
                identity.kill()

    def _enter(self, *what: str) -> list[str]:
        holder = self.holder
        if holder is None:
            raise ClusterError("the test cluster is not running: python3 -m tests.cluster up")
        return ["nsenter", "-t", str(holder.pid), *what, "--"]

    def spawn(self, name: str, argv: list[str]) -> subprocess.Popen[bytes]:
        """A lasting process; its nsenter lives exactly as long and carries its exit status."""
        command = self._enter("-m", "-n", "-p")
        with (self.where.log / f"{name}.log").open("ab") as out:
            process = subprocess.Popen([*command, *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                       cwd="/", start_new_session=True)  # fmt: skip
        identity = processes.identify(process.pid)
        if identity:
            identity.save(self.where.pids / f"{name}.json")
        return process

    def end(self, name: str, seconds: float = 20) -> None:
        """Ask a lasting process to end; wait for it, and insist."""
        path = self.where.pids / f"{name}.json"
        outer = processes.load(path)
        if outer:
            for pid in processes.children(outer.pid):
                os.kill(pid, signal.SIGTERM)
            if not processes.wait_gone(outer, seconds):
                for pid in processes.children(outer.pid):
                    os.kill(pid, signal.SIGKILL)
                processes.wait_gone(outer, seconds)
        path.unlink(missing_ok=True)

    def inside(self, argv: list[str], network_only: bool = True) -> list[str]:
        """The command line that runs argv in the network, or in all namespaces."""
        return [*self._enter(*(["-n"] if network_only else ["-m", "-n", "-p"])), *argv]

    def output(self, argv: list[str], stdin: str | None = None, timeout: float = 120) -> str:
        done = subprocess.run(self.inside(argv), input=stdin, capture_output=True, text=True, timeout=timeout)
        if done.returncode:
            raise ClusterError(f"{Path(argv[0]).name} {' '.join(argv[1:6])}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def works(self, argv: list[str], timeout: float = 10) -> bool:
        try:
            done = subprocess.run(self.inside(argv), capture_output=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def replace(self, argv: list[str], kubeconfig: Path) -> None:
        """Become argv inside the network namespace: same folder, same environment, and KUBECONFIG."""
        command = self.inside(argv)
        mark = {EXEC_MARK: str(self.where.run), "KUBECONFIG": str(kubeconfig)}
        os.execvpe(command[0], command, {**os.environ, **mark})  # noqa: S606 (not a shell, on purpose)
