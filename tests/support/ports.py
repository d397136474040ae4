"""Ports for programs that are started a while after their port was chosen."""

from __future__ import annotations

import os
import socket
from itertools import count

# Below what Linux gives to outgoing connections (32768 and up), and below the NodePorts of a cluster (30000 and up).
_FIRST, _EACH = 20_000, 1_000
_numbers = count(os.getpid())


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on, and that no connection and no other test process will have.

    Each process of a parallel run has a thousand of its own, in turn.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw9").removeprefix("gw")
    first = _FIRST + int(worker) % 10 * _EACH
    for _ in range(_EACH):
        port = first + next(_numbers) % _EACH
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"all ports from {first} to {first + _EACH - 1} are taken")
