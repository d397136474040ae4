"""A repository for each person and team, with a pipeline that a push starts: a bare one in the demo's folder, and a
clone of it in the person's."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ..domain.git_hooks import Provider
from ..domain.refusals import Refusal
from ..service.api.context import Context
from ..service.trigger_request_types import TriggerRequest

log = logging.getLogger(__name__)

_FILES = Path(__file__).parent / "repository"
_NAME = "digits"
_EVERY = 1.0


def repositories(folder: Path) -> Path:
    """Where the bare repositories are, in the demo's folder."""
    return folder / "repositories"


def furnish_repository(homes: Path, home: Path, tenant: str, user: str) -> None:
    """Give a person a clone of a repository of their own; what is there stays. Without git there is none."""
    bare = repositories(homes.parent) / tenant / user / f"{_NAME}.git"
    clone = home / _NAME
    if bare.exists() or clone.exists() or shutil.which("git") is None:
        return
    bare.parent.mkdir(parents=True, exist_ok=True)
    half = bare.with_name(f"{_NAME}.half")
    shutil.rmtree(half, ignore_errors=True)
    _git(bare.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(half))
    _git(bare.parent, "init", "--quiet", "--initial-branch=main", str(clone))
    for source in _FILES.glob("*.in"):
        name = source.name.removesuffix(".in")
        target = clone / ".aifactory" / name if name == "pipeline.yaml" else clone / name
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, target)
    for key, value in (("user.name", user), ("user.email", f"{user}@demo.invalid"), ("push.default", "current")):
        _git(clone, "config", key, value)
    _git(clone, "add", "--all")
    _git(clone, "commit", "--quiet", "-m", "A pipeline from data to a model")
    _git(clone, "remote", "add", "origin", str(bare))
    _git(clone, "push", "--quiet", str(half), "main")
    # Whole or not at all: what finds it makes a trigger for it.
    half.rename(bare)
    _git(clone, "fetch", "--quiet", "origin")
    _git(clone, "branch", "--quiet", "--set-upstream-to=origin/main")


async def adopt(context: Context, folder: Path) -> None:
    """Make a trigger for each repository that there is, for ever, until cancelled."""
    known: set[Path] = set()
    while True:
        for bare in sorted(repositories(folder).glob("*/*/*.git")):
            if bare not in known:
                known.add(bare)
                await asyncio.to_thread(_make, context, bare)
        await asyncio.sleep(_EVERY)


def _make(context: Context, bare: Path) -> None:
    tenant, user = bare.parts[-3], bare.parts[-2]
    asked = TriggerRequest(
        key=f"demo-{bare.stem}",
        url=str(bare),
        provider=Provider.LOCAL,
        name=f"{bare.stem} (git push starts it)",
        branches=["**"],
        quiet=1.0,
        per_hour=1000,
    )
    made = context.triggers.desk.make(user, tenant, asked)
    if isinstance(made, Refusal):
        log.warning("no trigger for %s: %s", bare, made.message)


def _git(folder: Path, *words: str) -> None:
    """Raises OSError or CalledProcessError."""
    environment: Mapping[str, str] = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
    }
    subprocess.run(["git", *words], cwd=folder, env=environment, check=True, capture_output=True)
