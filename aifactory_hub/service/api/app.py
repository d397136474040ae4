"""The routes, and the server."""

from __future__ import annotations

import logging
import re
from typing import Any

from tornado.web import Application, RequestHandler

from ... import __version__
from ..auth.hub_sign_in import CALLBACK
from ..page_files import PageFiles, find_page_files, read_page_files
from ..request_types import MOST_BODY
from . import (
    bills,
    engines,
    events,
    internal,
    job_actions,
    jobs,
    jobs_page,
    metrics,
    public,
    quota,
    room,
    schedules,
    site_jobs,
    team,
    tenants_file,
    uploads,
    usage,
    usage_metrics,
)
from .base import NotFound
from .connections import BoundedServer, most_connections
from .context import Context
from .openapi import Route, document

access_log = logging.getLogger("tornado.access")

# What a name in a path may be. An artifact's has slashes; anything else that is odd is refused by its handler.
_PATTERNS = {"name": "(.+)"}

# Below api/v1. Names in braces are arguments of the handler's methods, in this order.
ROUTES: tuple[Route, ...] = (
    ("/openapi.json", public.Description),
    ("/health", public.Health),
    ("/limits", public.Limits),
    ("/quota", jobs.Quota),
    ("/tenants/{tenant}/profiles", quota.Profiles),
    ("/tenants/{tenant}/overview", team.Overview),
    ("/platform/overview", team.PlatformOverview),
    ("/site/room", room.SiteRoom),
    ("/site/jobs", site_jobs.SiteJobs),
    ("/site/tenants-file", tenants_file.SiteTenantsFile),
    ("/site/usage", usage.SiteUsage),
    ("/usage/me", usage.MyUsage),
    ("/tenants/{tenant}/usage", usage.TeamUsageOne),
    ("/tenants/{tenant}/usage/heatmap", usage.TeamHeatmap),
    ("/tenants/{tenant}/usage/holds", usage.Holds),
    ("/tenants/{tenant}/usage/holds/{pod}", usage.HoldOne),
    ("/tenants/{tenant}/usage/holds/{pod}/corrections", bills.Corrections),
    ("/tenants/{tenant}/bills/{month}", bills.TeamBill),
    ("/platform/usage", bills.PlatformUsageAll),
    ("/platform/usage/verify", bills.Verify),
    ("/platform/heatmap", bills.PlatformHeatmap),
    ("/platform/bills/{month}", bills.PlatformBillsAll),
    ("/platform/bills/{month}/close", bills.CloseMonth),
    ("/engines", engines.EngineList),
    ("/tenants/{tenant}/templates", engines.Templates),
    ("/uploads/missing", uploads.MissingUploads),
    ("/uploads/packs/{sha256}", uploads.Pack),
    ("/uploads/manifests/{sha256}", uploads.SnapshotManifest),
    ("/events", events.AllEvents),
    ("/jobs", jobs.JobList),
    ("/jobs/dry-run", jobs.DryRun),
    ("/jobs/{job}", jobs.JobOne),
    ("/jobs/{job}/events", events.JobEvents),
    ("/jobs/{job}/suspend", job_actions.Suspend),
    ("/jobs/{job}/resume", job_actions.Resume),
    ("/jobs/{job}/retry", job_actions.Retry),
    ("/jobs/{job}/messages", schedules.Messages),
    ("/jobs/{job}/logs", jobs.JobLogs),
    ("/jobs/{job}/metrics", metrics.JobMetrics),
    ("/jobs/{job}/provenance", jobs.Provenance),
    ("/jobs/{job}/artifacts", jobs.Artifacts),
    ("/jobs/{job}/artifacts/{name}", jobs.ArtifactOne),
    ("/schedules", schedules.ScheduleList),
    ("/schedules/preview", schedules.ScheduleTimes),
    ("/schedules/{schedule}", schedules.ScheduleOne),
    ("/schedules/{schedule}/runs", schedules.ScheduleRuns),
    ("/tenants/{tenant}/webhook-secret", schedules.Secret),
    ("/internal/jobs/{job}/files", internal.RunnerFiles),
    ("/internal/jobs/{job}/files/{sha256}", internal.RunnerPack),
    ("/internal/jobs/{job}/log", internal.RunnerLog),
    ("/internal/jobs/{job}/log/pieces", internal.RunnerLogPiece),
    ("/internal/jobs/{job}/progress", internal.RunnerProgressReport),
    ("/internal/jobs/{job}/artifacts", internal.RunnerArtifacts),
    ("/internal/jobs/{job}/artifacts/{name}", internal.RunnerArtifact),
    ("/internal/jobs/{job}/result", internal.RunnerOutcome),
)


def describe(prefix: str) -> dict[str, Any]:
    """The API's description below ``prefix``."""
    return document(ROUTES, prefix=prefix, version=__version__)


def make_app(context: Context, prefix: str, page: PageFiles | None = None) -> Application:
    """The application below ``prefix``, e.g. /services/aifactory/, with the Jobs page if it was built."""
    page = page or read_page_files(find_page_files())
    arguments: dict[str, Any] = {"context": context}
    described = {"context": context, "document": describe(prefix)}
    routes = _page_routes(prefix, {**arguments, "page": page})
    for path, handler in ROUTES:
        given = described if handler is public.Description else arguments
        routes.append((f"{re.escape(prefix)}api/v1{_pattern(path)}", handler, given))
    return Application(
        routes,
        default_handler_class=NotFound,
        default_handler_args=arguments,
        prefix=prefix,
        hub="/hub/" if context.sign_in is None else context.sign_in.hub,
        cookie_secret=context.files.secret("sessions"),
        proof_key=context.files.secret("session-proofs"),
    )


def _page_routes(prefix: str, given: dict[str, Any]) -> list[tuple[str, Any, dict[str, Any]]]:
    own = re.escape(prefix)
    return [
        (f"{own}metrics", usage_metrics.UsageMetrics, {"context": given["context"]}),
        (f"{own}(?:jobs/?)?", jobs_page.JobsPage, given),
        (f"{own}jobs/([^/]+)", jobs_page.JobsPage, given),
        (f"{own}team/([^/]+)", jobs_page.TeamPage, given),
        (f"{own}platform", jobs_page.PlatformPage, given),
        (f"{own}{CALLBACK}", jobs_page.Callback, {"context": given["context"]}),
        (f"{own}static/([^/]+)", jobs_page.Static, given),
    ]


def make_server(application: Application) -> BoundedServer:
    """The server; ``xheaders`` because the hub's proxy stands before it. Raises this process's limit of open files."""
    server = BoundedServer(application, most=most_connections(), max_body_size=MOST_BODY, xheaders=True)

    def answered(handler: RequestHandler) -> None:
        log_request(handler)
        if handler.request.connection is not None:
            server.answered(handler.request.connection)

    application.settings["log_function"] = answered
    return server


def log_request(handler: RequestHandler) -> None:
    """One line for a request, without its query: people put tokens there."""
    status, request = handler.get_status(), handler.request
    level = logging.INFO if status < 400 else logging.WARNING if status < 500 else logging.ERROR
    took = 1000 * request.request_time()
    access_log.log(level, "%d %s %s (%s) %.2fms", status, request.method, request.path, request.remote_ip, took)


def _pattern(path: str) -> str:
    return re.sub(r"\{([a-z0-9]+)\}", lambda found: _PATTERNS.get(found[1], "([^/]+)"), path)
