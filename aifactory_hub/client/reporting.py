"""Within a job: say how far it is, by the protocol that Kubeflow Trainer has for it; and where checkpoints go."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

_URL, _TOKEN, _CA = (f"KUBEFLOW_TRAINER_SERVER_{part}" for part in ("URL", "TOKEN", "CA_CERT"))
_TIMEOUT = 5.0


def report(
    progress: float | None = None,
    metrics: Mapping[str, float] | None = None,
    *,
    step: int | None = None,
    eta: float | None = None,
) -> bool:
    """Report ``progress`` (per cent), ``metrics`` (numbers by name) and ``eta`` (seconds left). Whether it was heard.

    ``step`` is what the metrics are of; without it the reports of each name are counted, from 0. Call it as often as
    you like: the job's runner hears each one, within milliseconds, and passes them on together. Outside of a job
    it does nothing, and it never raises: a report must not end a training.
    """
    try:
        return _send(progress, metrics, step, eta)
    except Exception:
        return False


def checkpoints() -> Path:
    """The folder that outlives this job's attempts: what one keeps in it is there for the next.

    Write a file aside and rename it, so that it is whole. Outside of a job it is the folder ``checkpoints`` here.
    """
    folder = Path(os.environ.get("AIFACTORY_CHECKPOINTS") or "checkpoints")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _send(progress: float | None, metrics: Mapping[str, float] | None, step: int | None, eta: float | None) -> bool:
    url, token = os.environ.get(_URL), os.environ.get(_TOKEN)
    if not url or not token:
        return False
    status: dict[str, object] = {"lastUpdatedTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    if progress is not None:
        status["progressPercentage"] = round(progress)
    if eta is not None:
        status["estimatedRemainingSeconds"] = round(eta)
    if metrics:
        of = {} if step is None else {"step": int(step)}
        status["metrics"] = [{"name": str(name), "value": str(float(value)), **of} for name, value in metrics.items()]
    return _post(url, token, json.dumps({"trainerStatus": status}).encode())


def _post(url: str, token_file: str, body: bytes) -> bool:
    from urllib.request import Request, urlopen

    with open(token_file) as file:  # noqa: PTH123 - read again each time: in a TrainJob it is renewed
        token = file.read().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    context = None
    if url.startswith("https:") and (authority := os.environ.get(_CA)):
        import ssl

        context = ssl.create_default_context(cafile=authority)
    request = Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - the address is the job's own
    with urlopen(request, timeout=_TIMEOUT, context=context) as answer:  # noqa: S310
        return bool(answer.status == 200)
