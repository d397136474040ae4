"""Within a job: say how far it is, by the protocol that Kubeflow Trainer has for it; and where checkpoints go."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

_URL, _TOKEN, _CA = (f"KUBEFLOW_TRAINER_SERVER_{part}" for part in ("URL", "TOKEN", "CA_CERT"))
# The protocol asks for no more than one report in so many seconds.
_EVERY = 5.0
_TIMEOUT = 5.0
_lock = threading.Lock()
_last = 0.0


def report(
    progress: float | None = None, metrics: Mapping[str, float] | None = None, *, eta: float | None = None
) -> bool:
    """Report ``progress`` (per cent), ``metrics`` (numbers by name) and ``eta`` (seconds left). Whether it was sent.

    Call it as often as you like: more than one in five seconds are dropped, but never 100 per cent. Outside of a job
    it does nothing, and it never raises: a report must not end a training.
    """
    try:
        return _send(progress, metrics, eta)
    except Exception:
        return False


def checkpoints() -> Path:
    """The folder that outlives this job's attempts: what one keeps in it is there for the next.

    Write a file aside and rename it, so that it is whole. Outside of a job it is the folder ``checkpoints`` here.
    """
    folder = Path(os.environ.get("AIFACTORY_CHECKPOINTS") or "checkpoints")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _send(progress: float | None, metrics: Mapping[str, float] | None, eta: float | None) -> bool:
    global _last
    url, token = os.environ.get(_URL), os.environ.get(_TOKEN)
    if not url or not token:
        return False
    with _lock:
        now = time.monotonic()
        done = progress is not None and progress >= 100
        if not done and _last and now - _last < _EVERY:
            return False
        _last = now
    status: dict[str, object] = {"lastUpdatedTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    if progress is not None:
        status["progressPercentage"] = round(progress)
    if eta is not None:
        status["estimatedRemainingSeconds"] = round(eta)
    if metrics:
        status["metrics"] = [{"name": str(name), "value": str(float(value))} for name, value in metrics.items()]
    return _post(url, token, json.dumps({"trainerStatus": status}).encode())


def _post(url: str, token_file: str, body: bytes) -> bool:
    import ssl
    from urllib.request import Request, urlopen

    with open(token_file) as file:  # noqa: PTH123 - read again each time: in a TrainJob it is renewed
        token = file.read().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    authority = os.environ.get(_CA)
    context = ssl.create_default_context(cafile=authority) if authority else None
    request = Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - the address is the job's own
    with urlopen(request, timeout=_TIMEOUT, context=context) as answer:  # noqa: S310
        return bool(answer.status == 200)
