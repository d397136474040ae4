"""Carries a MemoryEngine's runs out as processes here, as a pod would: same argv, files and environment."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from aifactory_hub.engines.base import RunSpec
from aifactory_hub.engines.memory import MemoryEngine


@dataclass
class LocalRuns:
    """A Launcher. ``hold`` keeps new runs from starting until it is set."""

    folder: Path
    engine: MemoryEngine = field(default_factory=MemoryEngine)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine.launcher = self

    def started(self, spec: RunSpec) -> None:
        """Start the run's process."""
        root = self.folder / f"pod-{spec.run_id}-{len(self.processes)}"
        secrets, work = root / "secrets", root / "work"
        secrets.mkdir(parents=True)
        work.mkdir()
        for name, text in spec.secret_files.items():
            (secrets / name).write_text(text)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "HOME": str(work / "home"),
            "AIFACTORY_SECRETS": str(secrets),
            "AIFACTORY_WORK": str(work),
            **spec.environment,
        }
        argv = [sys.executable if word == "python3" else word for word in spec.argv]
        process = subprocess.Popen(
            argv, env=environment, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        self.processes[spec.run_id] = process
        self.engine.start(spec.tenant, spec.run_id)
        thread = threading.Thread(target=self._follow, args=(spec, process))
        thread.start()
        self._threads.append(thread)

    def stopped(self, spec: RunSpec) -> None:
        """Tell the run's process to stop, as the kubelet would."""
        process = self.processes[spec.run_id]
        if process.poll() is None:
            self.engine.slow_to_go.add(spec.run_id)
            process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """End whatever still runs."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):  # it ended just now
                os.killpg(process.pid, signal.SIGKILL)
        for thread in self._threads:
            thread.join(30)

    def _follow(self, spec: RunSpec, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                with contextlib.suppress(KeyError):  # the run was deleted meanwhile
                    self.engine.print_line(spec.tenant, spec.run_id, line.decode(errors="replace").rstrip("\n"))
        self.engine.end(spec.tenant, spec.run_id, process.wait())
        self.engine.slow_to_go.discard(spec.run_id)
