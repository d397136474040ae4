"""What runs in the notebook: submit jobs, follow them, get their files and values.

::

    from aifactory_hub.client import submit, jobs, remote

    job = submit("python train.py", profile="mig-1g.10gb")
    job.wait()
    print(job.logs())
    job.artifacts["model.joblib"].save("model.joblib")

Light: importing it loads little, and each part loads what it needs when it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import get, notebook_command, quota, submit, upload, usage
    from .artifact import Artifact
    from .budgets import budget, grant_budget
    from .dryrun import DryRun
    from .errors import (
        BadToken,
        ClientError,
        FilesTooLarge,
        JobFailed,
        NotInNotebook,
        NotShippable,
        Refused,
        RemoteError,
        ServiceUnavailable,
        SubmitRefused,
        UnknownJob,
    )
    from .job import Job
    from .job_list import jobs
    from .job_schedules import Schedule, schedule, schedules
    from .model_deployments import Deployment, deploy, deployments
    from .model_registry import (
        ModelVersion,
        NotVerified,
        load_model,
        model_versions,
        models,
        name_data,
        promote,
        register,
        rollback,
    )
    from .published import run_template, templates
    from .remote_functions import remote
    from .reporting import checkpoints, report
    from .requested_teams import change_team, renew_team, request_team, team_requests, team_templates
    from .session import Account, Session
    from .sweeps import sweep

_WHERE = {
    "api": ("get", "notebook_command", "quota", "submit", "upload", "usage"),
    "artifact": ("Artifact",),
    "budgets": ("budget", "grant_budget"),
    "model_deployments": ("Deployment", "deploy", "deployments"),
    "dryrun": ("DryRun",),
    "errors": (
        "BadToken",
        "ClientError",
        "FilesTooLarge",
        "JobFailed",
        "BadToken",
        "NotInNotebook",
        "NotShippable",
        "Refused",
        "RemoteError",
        "ServiceUnavailable",
        "SubmitRefused",
        "UnknownJob",
    ),
    "job": ("Job",),
    "job_list": ("jobs",),
    "model_registry": (
        "ModelVersion",
        "NotVerified",
        "load_model",
        "model_versions",
        "models",
        "name_data",
        "promote",
        "register",
        "rollback",
    ),
    "remote_functions": ("remote",),
    "reporting": ("checkpoints", "report"),
    "requested_teams": ("change_team", "renew_team", "request_team", "team_requests", "team_templates"),
    "published": ("run_template", "templates"),
    "job_schedules": ("Schedule", "schedule", "schedules"),
    "session": ("Account", "Session"),
    "sweeps": ("sweep",),
}
_MODULES = {name: module for module, names in _WHERE.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load what is asked for, when it is."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext aifactory_hub.client`` gives ``%%submit``, ``%jobs``, ``%logs`` and ``%cancel``."""
    from .magic import JobMagics

    shell.register_magics(JobMagics)


__all__ = [
    "Account",
    "Artifact",
    "BadToken",
    "ClientError",
    "Deployment",
    "DryRun",
    "FilesTooLarge",
    "Job",
    "JobFailed",
    "ModelVersion",
    "NotInNotebook",
    "NotShippable",
    "NotVerified",
    "Refused",
    "RemoteError",
    "Schedule",
    "ServiceUnavailable",
    "Session",
    "SubmitRefused",
    "UnknownJob",
    "budget",
    "change_team",
    "checkpoints",
    "deploy",
    "deployments",
    "get",
    "grant_budget",
    "jobs",
    "load_ipython_extension",
    "load_model",
    "model_versions",
    "models",
    "name_data",
    "notebook_command",
    "promote",
    "quota",
    "register",
    "remote",
    "renew_team",
    "report",
    "request_team",
    "rollback",
    "run_template",
    "schedule",
    "schedules",
    "submit",
    "sweep",
    "team_requests",
    "team_templates",
    "templates",
    "upload",
    "usage",
]
