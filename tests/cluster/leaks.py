"""What a test cluster could leave behind on the machine, recorded before `up` and compared after `down`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from . import processes
from .console import say
from .namespaces import EXEC_MARK
from .settings import CGROUP, Layout

MOUNT_POINTS = ("/var/lib/kubelet", "/var/lib/cni")
# Kubelet sets these for the whole machine; down puts the old values back.
KERNEL_SETTINGS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
                   "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes")  # fmt: skip


def mounts() -> list[str]:
    """Mount points with their kinds; ids and order don't matter."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        found.append(f"{before.split()[4]} {after.split()[0]}")
    return sorted(found)


def interfaces() -> list[str]:
    return sorted(path.name for path in Path("/sys/class/net").iterdir())


def packet_rules() -> list[str]:
    found: list[str] = []
    for argv in (["iptables-save"], ["ip6tables-save"], ["nft", "list", "ruleset"]):
        if shutil.which(argv[0]):
            done = subprocess.run(argv, capture_output=True, text=True)
            found += plain_rules(done.stdout)
    return sorted(found)


def plain_rules(text: str) -> list[str]:
    """Without comments and counters, which change by themselves."""
    lines = [re.sub(r"\s*\[\d+:\d+\]", "", line).strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def cgroups() -> list[str]:
    return sorted(str(path) for path in Path("/sys/fs/cgroup").glob(f"**/*{CGROUP}*") if path.is_dir())


def kernel_settings() -> list[str]:
    return [f"{name}={Path('/proc/sys', name).read_text().strip()}" for name in KERNEL_SETTINGS]


MEASURES: dict[str, Callable[[], list[str]]] = {
    "mount": mounts,
    "interface": interfaces,
    "packet filter rule": packet_rules,
    "control group": cgroups,
    "kernel setting": kernel_settings,
}


def snapshot() -> dict[str, list[str]]:
    return {kind: measure() for kind, measure in MEASURES.items()}


def _file(where: Layout) -> Path:
    return where.state.with_name(where.state.name + ".before.json")


def remember(where: Layout) -> None:
    """Before the first process of a cluster; an interrupted cluster's record stays the right one."""
    if not _file(where).exists():
        _file(where).parent.mkdir(parents=True, exist_ok=True)
        _file(where).write_text(json.dumps(snapshot(), indent=1))


def forget(where: Layout) -> None:
    _file(where).unlink(missing_ok=True)


def restore_kernel_settings(where: Layout) -> None:
    if _file(where).exists():
        for line in json.loads(_file(where).read_text()).get("kernel setting", []):
            name, _, value = line.partition("=")
            path = Path("/proc/sys", name)
            if path.read_text().strip() != value:
                path.write_text(value)


def strays(where: Layout) -> list[processes.Identity]:
    """What `exec` started and what came of it, outside the cluster's process namespace; not our parents."""
    mark, parents, found = f"{EXEC_MARK}={where.run}".encode(), set(_parents()), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            marked = mark in (folder / "environ").read_bytes().split(bytes(1))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        identity = processes.identify(int(folder.name)) if marked else None
        if identity and identity.pid not in parents:
            found.append(identity)
    return found


def _parents() -> Iterator[int]:
    pid = os.getpid()
    while pid > 1:
        yield pid
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def end_strays(where: Layout) -> None:
    left = strays(where)
    if left:
        say(f"ending {len(left)} processes that `exec` started: pids {', '.join(str(x.pid) for x in left)}")
    for how, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        for identity in left:
            identity.kill(how)
        left = [identity for identity in left if not processes.wait_gone(identity, seconds)]


def remove_mount_points() -> None:
    """The empty folders that the holder mounts over; not while they carry another cluster's mount."""
    used = set()
    for path in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):
            used |= {line.split()[4] for line in path.read_text().splitlines()}
    for folder in MOUNT_POINTS:
        if folder not in used and Path(folder).is_dir() and not any(Path(folder).iterdir()):
            Path(folder).rmdir()


def ours(where: Layout) -> list[str]:
    """Processes that name the cluster's folder on their command line, and those that `exec` started.

    Processes in pods name it nowhere; one of them would keep its control group from being removed."""
    mark = str(where.run).encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if mark in command:
            found.append(f"process {folder.name}: {command.replace(bytes(1), b' ').decode(errors='replace')[:200]}")
    return found + [f"process {identity.pid} (started by exec)" for identity in strays(where)]


def compare(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """What is there after and was not before; more of the same line counts too."""
    found = []
    for kind, now in after.items():
        left = list(before.get(kind, []))
        for item in now:
            if item in left:
                left.remove(item)
            else:
                found.append(f"{kind} {item}")
    return found


def leaks(where: Layout) -> list[str]:
    """What a cluster of this state folder left behind; nothing when none was ever started."""
    if not _file(where).exists():
        return ours(where)
    return ours(where) + compare(json.loads(_file(where).read_text()), snapshot())
