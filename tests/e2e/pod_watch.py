"""Every version of some pods of the host, by a watch of ``kubectl`` that nothing of the product takes part in."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from typing import Any

from .cluster import Cluster


class PodWatch:
    """Gives ``take`` the kind of each event and the pod, in etcd's order, from ``start`` to ``stop``."""

    def __init__(self, cluster: Cluster, selector: str, take: Callable[[str, dict[str, Any]], None]) -> None:
        self._argv = [
            str(cluster.kubectl), "--kubeconfig", str(cluster.kubeconfig), "get", "pods", "-A", "-l", selector,
            "--watch", "--output-watch-events", "-o", "json",
        ]  # fmt: skip
        self._take = take
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._read, name=f"pods of {selector}", daemon=True)

    def start(self) -> None:
        self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._thread.start()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._thread.join(10)
            assert self._process.stdout is not None
            self._process.stdout.close()

    @property
    def sees(self) -> bool:
        """Whether it has seen every version so far."""
        return self._process is not None and self._process.poll() is None and self._thread.is_alive()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            self._take(event["type"], event["object"])
