"""The versions of JupyterLab and Notebook that the panel is tried in, each in an environment of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_CONSTRAINTS = CHECKOUT / "requirements/constraints.txt"


@dataclass(frozen=True)
class Version:
    """``wanted`` is what is installed; empty for this very environment."""

    name: str
    wanted: str
    program: str = "jupyterlab"

    @property
    def folder(self) -> Path:
        return CHECKOUT / f".venv-{self.name}"

    def python(self) -> Path:
        """Of an environment that has it, made now unless it is there."""
        if not self.wanted:
            return Path(sys.executable)
        python, ready = self.folder / "bin/python", self.folder / ".ready"
        told = f"{self.wanted}\n{_CONSTRAINTS.read_text()}"
        if not ready.exists() or ready.read_text() != told:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(self.folder)], check=True)
            others = self.folder / "others.txt"
            # What these have in their own way is theirs to say.
            own = re.compile(r"^(jupyterlab|jupyter[-_]builder|notebook)==.*\n", re.MULTILINE)
            others.write_text(own.sub("", _CONSTRAINTS.read_text()))
            words = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(others))
            subprocess.run([str(python), *words, *self.wanted.split(), "-e", str(CHECKOUT)], check=True, timeout=600)
            ready.write_text(told)
        return python


# With jupyter-scheduler's pages beside ours, which this one environment is also for.
OLDEST = Version("lab44", "jupyterlab==4.4.10 jupyter-scheduler==2.12.1 papermill")
ALL = (
    OLDEST,
    Version("lab45", "jupyterlab==4.5.11"),
    Version("lab46", ""),
    Version("notebook7", "notebook==7.6.5", "notebook"),
)
# All of them take minutes: `make lab-versions`. JupyterLab 4.6 is what every other test has.
TRIED = ALL if os.environ.get("AIFACTORY_TEST_LABS") == "all" else (OLDEST,)

# The test cluster's network has no way out, so that what a test needs there is fetched before.
if __name__ == "__main__":
    for version in TRIED:
        version.python()
