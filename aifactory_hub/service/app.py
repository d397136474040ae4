"""The routes, and the server."""

from __future__ import annotations

from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application

from .context import Context
from .handlers import internal, jobs, public, quota
from .handlers.base import NotFound

# Requests without a file of their own: a command, an environment, names.
_MAX_BODY = 2**20
_ID = r"([a-z0-9]{1,40})"


def make_app(context: Context, prefix: str) -> Application:
    """The application below ``prefix``, e.g. /services/aifactory/."""
    api = f"{prefix}api/v1"
    runner = f"{api}/internal/jobs/{_ID}"
    routes = [
        (prefix, public.Page),
        (f"{api}/health", public.Health),
        (f"{api}/limits", public.Limits),
        (f"{api}/quota", jobs.Quota),
        (f"{api}/tenants/([^/]+)/profiles", quota.Profiles),
        (f"{api}/uploads/([^/]+)", jobs.Upload),
        (f"{api}/jobs", jobs.JobList),
        (f"{api}/jobs/([^/]+)", jobs.JobOne),
        (f"{api}/jobs/{_ID}/logs", jobs.JobLogs),
        (f"{api}/jobs/{_ID}/artifacts", jobs.Artifacts),
        (f"{api}/jobs/{_ID}/artifacts/(.+)", jobs.ArtifactOne),
        (f"{runner}/files", internal.RunnerFiles),
        (f"{runner}/log", internal.RunnerLog),
        (f"{runner}/artifacts/(.+)", internal.RunnerArtifact),
        (f"{runner}/result", internal.RunnerOutcome),
    ]
    arguments: dict[str, Any] = {"context": context}
    return Application(
        [(path, handler, arguments) for path, handler in routes],
        default_handler_class=NotFound,
        default_handler_args=arguments,
    )


def make_server(application: Application) -> HTTPServer:
    """The server; ``xheaders`` because the hub's proxy stands before it."""
    return HTTPServer(application, max_body_size=_MAX_BODY, xheaders=True)
