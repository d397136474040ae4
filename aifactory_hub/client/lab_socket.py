"""Tells the Jupyter server beside this kernel or terminal that jobs have changed, so that its panel asks at once."""

from __future__ import annotations

import contextlib
import os
import socket

# The server's extension sets it for the kernels and terminals that the server starts: where it listens.
VARIABLE = "AIFACTORY_LAB_SOCKET"


def tell_server() -> None:
    """Say it, without waiting for anything. Where no such server listens, nothing happens."""
    path = os.environ.get(VARIABLE)
    if not path or not hasattr(socket, "AF_UNIX"):
        return
    # It says nothing but "look": whoever could send this may read the jobs anyway.
    with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(b"jobs", path)
