"""Hears from kernels and terminals of this server that jobs have changed, and tells the pages that are open."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any

from ..client.lab_socket import VARIABLE

# Jupyter's own event bus takes it to every open page; the extension's TypeScript knows the same name.
EVENT = "https://events.aifactory-hub.example/jobs-changed/v1"
_SCHEMA: dict[str, Any] = {
    "$id": EVENT,
    "version": "1",
    "title": "Jobs changed",
    "description": "A kernel or terminal of this server has submitted or changed a job.",
    "type": "object",
    "properties": {},
}
# A sweep submits many jobs within a second; one word is enough. In seconds.
CALM = 1.0


class LabSocket:
    """A socket in a folder that only this server's account may enter. To be used in the server's event loop."""

    def __init__(self, serverapp: Any) -> None:
        self._serverapp = serverapp
        self._loop = serverapp.io_loop
        self._told_at = float("-inf")
        self._telling: object | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="aifactory-"))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        path = self._folder / "jobs"
        self._socket.bind(os.fspath(path))
        serverapp.event_logger.register_event_schema(_SCHEMA)
        self._loop.add_handler(self._socket.fileno(), self._heard, self._loop.READ)
        os.environ[VARIABLE] = os.fspath(path)

    def close(self) -> None:
        """Listen no more."""
        os.environ.pop(VARIABLE, None)
        self._loop.remove_handler(self._socket.fileno())
        if self._telling is not None:
            self._loop.remove_timeout(self._telling)
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _heard(self, *_: object) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(64)
        if self._telling is None:
            # The first word goes out at once, those that follow it together.
            self._telling = self._loop.call_at(max(self._loop.time(), self._told_at + CALM), self._tell)

    def _tell(self) -> None:
        self._telling, self._told_at = None, self._loop.time()
        self._serverapp.event_logger.emit(schema_id=EVENT, data={})
