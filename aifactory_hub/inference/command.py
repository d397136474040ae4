"""Any program that listens: started with the model's folder, and asked in place of a model that was read."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

# Seconds: to connect, and to answer.
_CONNECT, _ANSWER = 1.0, 120.0
_MOST_ANSWER = 64 * 2**20


class CommandServer:
    """A program, and the port that it was told to listen on: ``AIFACTORY_PORT``, on 127.0.0.1."""

    def __init__(self, command: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.port = _free_port()
        told = {"AIFACTORY_PORT": str(self.port), "AIFACTORY_MODEL": str(folder), "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            ["sh", "-c", command],
            cwd=folder,
            env={**environment, **told},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self) -> int:
        """Until it ends; its exit code."""
        return self._process.wait()

    def ready(self) -> bool:
        """Whether it takes connections."""
        if self._process.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", self.port), _CONNECT).close()
        except OSError:
            return False
        return True

    def forward(self, method: str, path: str, body: bytes, content_type: str) -> tuple[int, bytes, str]:
        """Its answer: status, body and media type. Raises OSError."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ANSWER)
        try:
            connection.request(method, path, body or None, {"Content-Type": content_type})
            response = connection.getresponse()
            answer = response.read(_MOST_ANSWER + 1)
            if len(answer) > _MOST_ANSWER:
                raise OSError(f"it answered more than {_MOST_ANSWER} bytes")
            return response.status, answer, response.headers.get("Content-Type", "application/octet-stream")
        except http.client.HTTPException as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()

    def stop(self) -> None:
        """End it, and what it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
