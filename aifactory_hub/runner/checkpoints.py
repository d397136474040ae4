"""A folder that outlives an attempt: what is kept in it is sent while the command runs, and is there for the next."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from ..untrusted.manifests import path_problem
from ..untrusted.texts import shown
from .archive import Stamp, stamps
from .reporter import NotDelivered, Reporter

# Under this folder a job's artifacts are its checkpoints.
PREFIX = ".checkpoints/"
# Seconds between two looks. A file is sent once it has not changed from one look to the next.
_EVERY = 20.0


class Checkpoints:
    """The folder's files and those that the service has, made alike. Nothing here fails a job that runs."""

    def __init__(self, folder: Path, reporter: Reporter, *, every: float = _EVERY) -> None:
        self.folder = folder
        self._reporter = reporter
        self._every = every
        self._sent: dict[str, Stamp] = {}
        self._seen: dict[str, Stamp] = {}
        # What is not kept, each with why.
        self.refused: dict[str, str] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        folder.mkdir(parents=True, exist_ok=True)

    def restore(self) -> int:
        """Fetch what the attempts before this one kept; how many files that were. Raises NotDelivered."""
        for name, sha256 in self._reporter.list_artifacts(PREFIX):
            target = self.folder / name.removeprefix(PREFIX)
            target.parent.mkdir(parents=True, exist_ok=True)
            self._reporter.fetch_artifact(name, target, sha256)
        self._sent = self._seen = stamps(self.folder)
        return len(self._sent)

    def start(self) -> None:
        """Look every few seconds from now on."""
        self._thread.start()

    def close(self) -> None:
        """Send what is left. The command has ended, so nothing is half written."""
        self._closing.set()
        self._thread.join(self._every)
        self._send(final=True)

    def _run(self) -> None:
        while not self._closing.wait(self._every):
            self._send(final=False)

    def _send(self, *, final: bool) -> None:
        now = {name: stamp for name, stamp in stamps(self.folder).items() if self._has_good_name(name)}
        for name, stamp in sorted(now.items(), key=lambda item: item[1].mtime_ns):
            if self._sent.get(name) != stamp and (final or self._seen.get(name) == stamp):
                self._deliver(name, stamp)
        for name in [name for name in self._sent if name not in now]:
            self._remove(name)
        self._seen = now

    def _has_good_name(self, name: str) -> bool:
        problem = path_problem(f"{PREFIX}{name}")
        if problem is not None:
            self._refuse(name, f"{problem}: rename it")
        return problem is None

    def _refuse(self, name: str, why: str) -> None:
        """Said once for each file."""
        if shown(name) not in self.refused:
            print(f"[aifactory] checkpoint {shown(name)} is not kept: {why}", file=sys.stderr, flush=True)
        self.refused[shown(name)] = why

    def _deliver(self, name: str, stamp: Stamp) -> None:
        try:
            self._reporter.put_artifact(f"{PREFIX}{name}", self.folder / name)
        except (NotDelivered, OSError, ValueError) as error:
            self._refuse(name, str(error))
        else:
            self._sent[name] = stamp
            self.refused.pop(name, None)

    def _remove(self, name: str) -> None:
        """What the command deleted makes room for what comes."""
        try:
            self._reporter.delete_artifact(f"{PREFIX}{name}")
        except NotDelivered:
            return
        del self._sent[name]
