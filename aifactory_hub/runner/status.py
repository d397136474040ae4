"""Answers Kubeflow Trainer's status protocol inside the pod: what reports to a TrainJob by itself reports here.

Hugging Face's Trainer, for one, sends its progress when the variables below are set. The address is this pod's own,
and the token is one for this: the runner's never reaches the command.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ..domain.metrics import LARGEST_STEP, LONGEST_NAME
from ..untrusted.texts import escaped

# The variables' names are the protocol's. There is no certificate: it is http, within the pod.
URL = "KUBEFLOW_TRAINER_SERVER_URL"
TOKEN = "KUBEFLOW_TRAINER_SERVER_TOKEN"  # noqa: S105 - a variable's name
_LARGEST = 64 * 1024
# What Hugging Face's Trainer calls the step that its other metrics are of.
_STEP = "current_step"

Sink = Callable[[Mapping[str, Any]], None]


class BadStatus(Exception):
    """What was sent is not a status; the text says why."""


def read_status(body: bytes) -> dict[str, Any]:
    """``progress`` (0 to 100), ``eta`` (seconds), ``metrics`` (numbers by name), ``steps`` (integers by name), as said.

    A step is our own addition to the protocol. Names are cut and made printable. Raises BadStatus.
    """
    try:
        said = json.loads(body)["trainerStatus"]
        found: dict[str, Any] = {}
        if said.get("progressPercentage") is not None:
            found["progress"] = min(100.0, max(0.0, float(said["progressPercentage"])))
        if said.get("estimatedRemainingSeconds") is not None:
            found["eta"] = max(0.0, float(said["estimatedRemainingSeconds"]))
        metrics = said.get("metrics") or []
        values = {_name(metric): float(metric["value"]) for metric in metrics}
        steps = {_name(metric): _step(metric["step"]) for metric in metrics if metric.get("step") is not None}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise BadStatus(f"it is not {{'trainerStatus': ...}} of the right form: {error!r}") from error
    if not steps and 0 <= values.get(_STEP, -1) <= LARGEST_STEP:
        steps = dict.fromkeys(values, int(values[_STEP]))
    return {**found, **({"metrics": values} if values else {}), **({"steps": steps} if steps else {})}


def _name(metric: Mapping[str, Any]) -> str:
    return escaped(str(metric["name"]))[:LONGEST_NAME]


def _step(told: Any) -> int:
    step = int(told)
    if abs(step) > LARGEST_STEP:
        raise ValueError(f"the step {step} is larger than {LARGEST_STEP}")
    return step


class StatusServer:
    """Listens on this pod's loopback address and gives every good status to ``sink``."""

    def __init__(self, folder: Path, sink: Sink) -> None:
        token = secrets.token_hex(16)
        self._token_file = folder / "status-token"
        self._token_file.touch(mode=0o600)
        self._token_file.write_text(token)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(token, sink))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="status", daemon=True).start()

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """What the command needs to report here. A proxy of the site's must not be asked for this pod's own address."""
        url = f"http://127.0.0.1:{self._server.server_address[1]}/status"
        direct = ",".join(part for part in (given.get("NO_PROXY") or given.get("no_proxy") or "", "127.0.0.1") if part)
        return {URL: url, TOKEN: os.fspath(self._token_file), "NO_PROXY": direct, "no_proxy": direct}

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _handler(token: str, sink: Sink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            given = self.headers.get("Authorization", "")
            length = self.headers.get("Content-Length", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                return self._answer(401, {"message": "the token is not the one of this job"})
            if not length.isdecimal() or int(length) > _LARGEST:
                return self._answer(413, {"message": f"send a body of at most {_LARGEST} bytes"})
            try:
                status = read_status(self.rfile.read(int(length)))
            except BadStatus as error:
                return self._answer(400, {"message": str(error)})
            sink(status)
            return self._answer(200, {"message": "taken"})

        def _answer(self, code: int, body: Mapping[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the log is the command's."""

    return Handler
