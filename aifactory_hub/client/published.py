"""What a team has published for engines to run, such as Argo's WorkflowTemplates."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote as url_quote

from .api import default_session
from .durations import seconds_of
from .errors import ClientError
from .job import Job
from .session import Session

ENGINE = "argo-workflow"


def templates(*, tenant: str | None = None, session: Session | None = None) -> list[dict[str, Any]]:
    """The team's templates, each with ``engine``, ``name``, ``description`` and ``parameters``.

    Raises ClientError when an engine could not be asked and there is nothing else to show.
    """
    session = session or default_session()
    wanted = tenant or session.account.tenant
    if wanted is None:
        raise ClientError("Say whose templates: tenant=...")
    answer = session.get(f"/tenants/{url_quote(wanted, safe='')}/templates")
    found: list[dict[str, Any]] = answer["templates"]
    if not found and answer["unavailable"]:
        raise ClientError("; ".join(f"{name}: {why}" for name, why in answer["unavailable"].items()))
    return found


def run_template(
    template: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    engine: str = ENGINE,
    profile: str | None = None,
    nodes: int = 1,
    name: str | None = None,
    tenant: str | None = None,
    priority: str | None = None,
    max_duration: str | float | None = None,
    idempotency_key: str | None = None,
    wait: bool = False,
    session: Session | None = None,
) -> Job:
    """Run what the team has published as a job: ``nodes`` are how many of its steps may run at once, each with the
    whole profile; ``priority`` is low, normal or high. Raises SubmitRefused, NotInNotebook, ServiceUnavailable."""
    session = session or default_session()
    asked = {
        "engine": engine,
        "template": template,
        "parameters": {key: str(value) for key, value in (parameters or {}).items()},
        "profile": profile or session.account.profile,
        "nodes": nodes,
        "name": name,
        "tenant": tenant or session.account.tenant,
        "key": idempotency_key or uuid.uuid4().hex,
        "max_seconds": None if max_duration is None else seconds_of(max_duration),
        **({} if priority is None else {"priority": priority}),
    }
    job = Job(session, session.post("/jobs", asked))
    if wait:
        job.wait()
    return job
