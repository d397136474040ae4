"""A Go that is new enough: the machine's own, else one that an older `go` brings as a module."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .console import ClusterError, say

NEEDED = (1, 26, 0)
TOOLCHAIN_MODULE = "golang.org/toolchain"
# Newest first; the first that can be had is taken.
TOOLCHAINS = ("v0.0.1-go1.26.8.linux-amd64", "v0.0.1-go1.26.2.linux-amd64", "v0.0.1-go1.26.0.linux-amd64")


def parse_version(text: str) -> tuple[int, int, int]:
    """Of `go version go1.26.8 linux/amd64`; a release candidate counts as older than its release."""
    found = re.search(r"\bgo(\d+)\.(\d+)(?:\.(\d+))?(rc|beta)?", text)
    if not found or found[4]:
        return (0, 0, 0)
    return int(found[1]), int(found[2]), int(found[3] or 0)


def _machine_go() -> list[Path]:
    candidates = [shutil.which("go"), "/usr/local/go/bin/go", *map(str, Path("/usr/lib").glob("go-*/bin/go"))]
    return [Path(go) for go in candidates if go and Path(go).exists()]


def _version(go: Path) -> tuple[int, int, int]:
    # GOTOOLCHAIN=local: the answer is about this program, not about what it would fetch.
    done = subprocess.run([go, "version"], capture_output=True, text=True, env={**os.environ, "GOTOOLCHAIN": "local"})
    return parse_version(done.stdout)


def go_toolchain() -> Path:
    """The path of a `go` of at least the needed version."""
    installed = _machine_go()
    for go in installed:
        if _version(go) >= NEEDED:
            return go
    if not installed:
        raise ClusterError("no Go on this machine: apt-get install golang-go")
    for version in TOOLCHAINS:
        fetched = _fetch(installed[0], version)
        if fetched:
            return fetched
    raise ClusterError(f"Go {'.'.join(map(str, NEEDED))} is needed; {installed[0]} could not fetch any of {TOOLCHAINS}")


def _fetch(go: Path, version: str) -> Path | None:
    """Download the toolchain as a module; the module cache keeps neither execute nor write bits."""
    with tempfile.TemporaryDirectory() as empty:
        argv = [str(go), "mod", "download", "-json", f"{TOOLCHAIN_MODULE}@{version}"]
        done = subprocess.run(argv, capture_output=True, text=True, cwd=empty)
    try:
        folder = Path(json.loads(done.stdout)["Dir"])
    except (ValueError, KeyError):
        say(f"Go {version}: not to be had ({done.stdout.strip()[-200:]} {done.stderr.strip()[-200:]})")
        return None
    for program in [*(folder / "bin").iterdir(), *(folder / "pkg" / "tool").rglob("*")]:
        if program.is_file():
            program.chmod(0o755)
    say(f"Go {version} fetched as a module (this machine's {go} is too old)")
    return folder / "bin" / "go"
