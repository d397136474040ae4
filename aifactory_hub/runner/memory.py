"""How much memory the container has used, and may use, as its control group says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
# Version 1 writes "no limit" as a number near 2**63.
_NO_LIMIT = 2**60


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes; None where it can't be told. ``killed`` says that the kernel has killed a process for want of memory."""

    peak: int | None = None
    limit: int | None = None
    killed: bool = False

    def __str__(self) -> str:
        if self.limit is None:
            return "no memory limit is known"
        used = "unknown" if self.peak is None else _size(self.peak)
        return f"memory used at most: {used} of {_size(self.limit)}"


def read_memory(root: Path = _ROOT) -> Memory:
    """From control groups of version 2, or else 1."""
    if (root / "memory.max").exists():
        return _memory(root, "memory.max", "memory.peak", "memory.events")
    return _memory(root / "memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control")


def _memory(folder: Path, limit: str, peak: str, events: str) -> Memory:
    most = _number(folder / limit)
    return Memory(
        peak=_number(folder / peak),
        limit=most if most is not None and most < _NO_LIMIT else None,
        killed=any(line[0] == "oom_kill" and line[-1] not in ("0", "oom_kill") for line in _lines(folder / events)),
    )


def _number(path: Path) -> int | None:
    lines = _lines(path)
    return int(lines[0][0]) if lines and lines[0][0].isdecimal() else None


def _lines(path: Path) -> list[list[str]]:
    try:
        return [words for line in path.read_text().splitlines() if (words := line.split())]
    except (OSError, ValueError):
        return []


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
