"""Real repositories in folders, with people who push to them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_WHO = {
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "LC_ALL": "C",
}


@dataclass
class Repository:
    """A bare repository at ``bare`` with a clone at ``clone``."""

    bare: Path
    clone: Path

    @classmethod
    def at(cls, folder: Path, name: str = "fraud") -> Repository:
        """A new one below ``folder``, which has no commit yet."""
        made = cls(folder / f"{name}.git", folder / f"{name}-clone")
        folder.mkdir(parents=True, exist_ok=True)
        run_git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(made.bare))
        run_git(folder, "init", "--quiet", "--initial-branch=main", str(made.clone))
        made.git("remote", "add", "origin", str(made.bare))
        return made

    def git(self, *words: str, who: Mapping[str, str] | None = None) -> str:
        """What a git command says in the clone."""
        return run_git(self.clone, *words, who=who)

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Put files into the clone."""
        for name, content in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, str | bytes] | None = None, message: str = "work", **who: str) -> str:
        """Commit these files; the commit's id."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message, who=who)
        return self.head()

    def head(self, ref: str = "HEAD") -> str:
        """The commit that a ref names."""
        return self.git("rev-parse", f"{ref}^{{commit}}").strip()

    def push(self, *refs: str, force: bool = False) -> None:
        """Push refs, by default main."""
        self.git("push", "--quiet", *(["--force"] if force else []), "origin", *(refs or ("main",)))


def run_git(folder: Path, *words: str, who: Mapping[str, str] | None = None) -> str:
    """What a git command says in a folder."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **_WHO, **(who or {})}
    done = subprocess.run(["git", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
