"""What runs in the notebook: submit jobs, follow them, get their files. Light: needs httpx and click only.

::

    from aifactory_hub.client import submit

    job = submit("python train.py", profile="mig-1g.10gb")
    job.wait()
    print(job.logs())
    job.artifacts["model.joblib"].save("model.joblib")
"""

from typing import Any

from .errors import (
    ClientError,
    FilesTooLarge,
    NotInNotebook,
    Refused,
    ServiceUnavailable,
    SubmitRefused,
    UnknownJob,
)
from .job import Artifact, Job, get, jobs, quota, submit


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext aifactory_hub.client`` gives the cell magic ``%%submit``."""
    from .magic import SubmitMagics

    shell.register_magics(SubmitMagics)


__all__ = [
    "Artifact",
    "ClientError",
    "FilesTooLarge",
    "Job",
    "NotInNotebook",
    "Refused",
    "ServiceUnavailable",
    "SubmitRefused",
    "UnknownJob",
    "get",
    "jobs",
    "load_ipython_extension",
    "quota",
    "submit",
]
