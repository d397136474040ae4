"""What this Jupyter server knows of itself: whose it is, since when, its memory, and when it would be stopped."""

from __future__ import annotations

import asyncio
import importlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..client.session import Account

_CGROUP = Path("/sys/fs/cgroup")
# What stands for "no limit" in version 1; the largest multiple of a page below 2**63.
_NO_LIMIT = 2**60
# Seconds between measurements, and how many make an hour.
_EVERY = 30.0
_KEPT = 120


@dataclass(frozen=True, slots=True)
class Memory:
    """In bytes; ``limit`` None when there is none or it is not known."""

    used: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class Sample:
    """What was in use at a moment: ``at`` in seconds since 1970, the rest in bytes; None where nobody measures."""

    at: int
    memory: int | None
    gpu_memory: int | None


def read_gpu_memory() -> int | None:
    """Bytes in use on this server's GPUs or slices, by NVML; None without its Python package, driver or GPU."""
    try:
        pynvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        devices = list(_devices(pynvml))
        return sum(int(pynvml.nvmlDeviceGetMemoryInfo(device).used) for device in devices) if devices else None
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def _devices(nvml: Any) -> Iterator[Any]:
    """The slices of each GPU that is cut into some, else the GPU."""
    for index in range(nvml.nvmlDeviceGetCount()):
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        slices = []
        try:
            for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(device)):
                try:
                    slices.append(nvml.nvmlDeviceGetMigDeviceHandleByIndex(device, number))
                except nvml.NVMLError:
                    continue  # there is none of this number, or it is another container's
        except nvml.NVMLError:
            pass  # a GPU that can't be cut
        yield from slices or [device]


class ThisServer:
    """Facts from the Jupyter server, its environment and its control group. Unknown is None, never zero."""

    def __init__(
        self,
        serverapp: Any,
        account: Account,
        *,
        idle_timeout: int | None,
        environment: Mapping[str, str] | None = None,
        cgroup: Path = _CGROUP,
        gpu_memory: Callable[[], int | None] = read_gpu_memory,
    ) -> None:
        self._serverapp = serverapp
        self._account = account
        self._idle_timeout = idle_timeout
        self._environment = os.environ if environment is None else environment
        self._cgroup = cgroup
        self._gpu_memory = gpu_memory
        self._samples: deque[Sample] = deque(maxlen=_KEPT)
        self._watching: asyncio.Task[None] | None = None

    def describe(self) -> dict[str, Any]:
        """As the panel shows it."""
        memory = read_memory(self._cgroup, self._environment)
        return {
            "user": self._environment.get("JUPYTERHUB_USER"),
            "server": self._environment.get("JUPYTERHUB_SERVER_NAME", ""),
            "tenant": self._account.tenant,
            "profile": self._account.profile,
            "environment": self._environment.get("JUPYTER_IMAGE_SPEC") or self._environment.get("JUPYTER_IMAGE"),
            "started": _iso(self._settings.get("started")),
            "memory": None if memory is None else {"used": memory.used, "limit": memory.limit},
            "usage": [asdict(sample) for sample in self._samples],
            "idle": self._idle(),
        }

    def watch(self) -> None:
        """Measure from now on, every half minute; called when somebody looks, more than once without harm."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._measure(), name="usage of this server")

    async def close(self) -> None:
        """Measure no more."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def _measure(self) -> None:
        while True:
            memory = read_memory(self._cgroup, self._environment)
            used = None if memory is None else memory.used
            self._samples.append(Sample(round(time.time()), used, await asyncio.to_thread(self._gpu_memory)))
            await asyncio.sleep(_EVERY)

    @property
    def root(self) -> Path:
        """The folder that the file browser shows."""
        return Path(self._serverapp.root_dir).resolve()

    def touch(self) -> datetime:
        """Note that a person is here, as any click on the server does; the time that was noted."""
        now = datetime.now(UTC)
        self._settings["api_last_activity"] = now
        return now

    def _idle(self) -> dict[str, Any]:
        own = int(getattr(self._serverapp, "shutdown_no_activity_timeout", 0) or 0)
        known = [seconds for seconds in (own, self._idle_timeout) if seconds]
        last = self._serverapp.web_app.last_activity()
        return {"stops_after": min(known) if known else None, "last_activity": _iso(last)}

    @property
    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = self._serverapp.web_app.settings
        return settings


def read_memory(cgroup: Path, environment: Mapping[str, str]) -> Memory | None:
    """What this server's container uses; None when that can't be told from here.

    The numbers are those of the control group that the process sees as its root, as in a container of its own.
    Outside one the numbers would be the whole machine's, so they are only used where the hub has set a limit.
    """
    limit = _number(environment.get("MEM_LIMIT"))
    if limit is None:
        return None
    for used, most, statistics, inactive in (
        ("memory.current", "memory.max", "memory.stat", "inactive_file"),
        (
            "memory/memory.usage_in_bytes",
            "memory/memory.limit_in_bytes",
            "memory/memory.stat",
            "total_inactive_file",
        ),
    ):
        taken = _number(_text(cgroup / used))
        if taken is not None:
            # Pages of files that can be dropped at once are no worry; what kubelet counts leaves them out, too.
            idle = _statistic(_text(cgroup / statistics), inactive)
            here = _number(_text(cgroup / most))
            return Memory(max(0, taken - idle), limit if here is None or here > _NO_LIMIT else min(limit, here))
    return None


def _statistic(text: str | None, name: str) -> int:
    for line in (text or "").splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return _number(value) or 0
    return 0


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _number(text: str | None) -> int | None:
    found = (text or "").strip()
    return int(found) if found.isdigit() else None


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.isoformat(timespec="seconds")
