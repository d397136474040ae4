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
    advice,
    approvals,
    bills,
    budgets,
    datasets,
    deployments,
    engines,
    environments,
    events,
    hooks,
    idle,
    internal,
    job_actions,
    jobs,
    jobs_page,
    lineage,
    metrics,
    model_aliases,
    model_keys,
    model_recovery,
    models,
    notifications,
    pipeline_comparison,
    pipelines,
    policies,
    public,
    queue,
    quota,
    room,
    runner_models,
    runner_releases,
    schedules,
    secrets,
    site_checks,
    site_jobs,
    team,
    team_queries,
    team_requests,
    tenants_file,
    triggers,
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
    ("/tenants/{tenant}/environments", environments.Environments),
    ("/tenants/{tenant}/overview", team.Overview),
    ("/tenants/{tenant}/prometheus/api/v1/query", team_queries.Query),
    ("/tenants/{tenant}/prometheus/api/v1/query_range", team_queries.QueryRange),
    ("/tenants/{tenant}/prometheus/api/v1/series", team_queries.Series),
    ("/tenants/{tenant}/prometheus/api/v1/labels", team_queries.Labels),
    ("/tenants/{tenant}/prometheus/api/v1/label/{label}/values", team_queries.LabelValues),
    ("/queue", queue.Queue),
    ("/platform/overview", team.PlatformOverview),
    ("/platform/teams", team_requests.PlatformTeams),
    ("/teams/templates", team_requests.Templates),
    ("/teams/requests", team_requests.RequestList),
    ("/teams/requests/check", team_requests.RequestCheck),
    ("/teams/requests/{request}", team_requests.RequestOne),
    ("/site/teams", team_requests.SiteTeams),
    ("/site/room", room.SiteRoom),
    ("/site/jobs", site_jobs.SiteJobs),
    ("/site/approvals", approvals.SiteApprovals),
    ("/site/tenants-file", tenants_file.SiteTenantsFile),
    ("/site/rules", site_checks.RulesInUse),
    ("/site/signing", site_checks.Signing),
    ("/site/factory", site_checks.Factory),
    ("/site/usage", usage.SiteUsage),
    ("/site/idle", idle.SiteIdle),
    ("/servers/activity", idle.ServerActivity),
    ("/servers/keep", idle.KeepServer),
    ("/tenants/{tenant}/idle", idle.TeamIdle),
    ("/platform/idle", idle.PlatformIdle),
    ("/tenants/{tenant}/advice", advice.TeamAdvice),
    ("/site/advice", advice.SiteAdvice),
    ("/notifications", notifications.MyNotifications),
    ("/usage/me", usage.MyUsage),
    ("/tenants/{tenant}/usage", usage.TeamUsageOne),
    ("/tenants/{tenant}/usage/heatmap", usage.TeamHeatmap),
    ("/tenants/{tenant}/usage/holds", usage.Holds),
    ("/tenants/{tenant}/usage/holds/{pod}", usage.HoldOne),
    ("/tenants/{tenant}/usage/holds/{pod}/corrections", bills.Corrections),
    ("/tenants/{tenant}/bills/{month}", bills.TeamBill),
    ("/tenants/{tenant}/budget", budgets.TeamBudgetAll),
    ("/tenants/{tenant}/budget/grants", budgets.Grants),
    ("/site/budget", budgets.SiteBudgetOf),
    ("/platform/usage", bills.PlatformUsageAll),
    ("/platform/usage/verify", bills.Verify),
    ("/platform/heatmap", bills.PlatformHeatmap),
    ("/platform/bills/{month}", bills.PlatformBillsAll),
    ("/platform/bills/{month}/close", bills.CloseMonth),
    ("/policies", policies.RuleList),
    ("/policies/{rule}", policies.RuleOne),
    ("/policies/{rule}/impact", policies.RuleImpact),
    ("/tenants/{tenant}/verdicts", policies.VerdictList),
    ("/tenants/{tenant}/overrides", policies.Overrides),
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
    ("/approvals", approvals.ApprovalList),
    ("/approvals/{approval}", approvals.ApprovalOne),
    ("/approvals/{approval}/vote", approvals.ApprovalVote),
    ("/models", models.Models),
    ("/models/{model}", models.ModelOne),
    ("/models/{model}/versions", models.Versions),
    ("/models/{model}/versions/{version}", models.VersionOne),
    ("/models/{model}/versions/{version}/verify", models.VersionCheck),
    ("/models/{model}/versions/{version}/release", model_recovery.Release),
    ("/models/{model}/versions/{version}/sign", model_recovery.SignAnew),
    ("/models/{model}/versions/{version}/evidence", models.VersionEvidence),
    ("/models/{model}/versions/{version}/lineage", lineage.VersionLineage),
    ("/models/{model}/versions/{version}/files/{name}", models.VersionFile),
    ("/models/{model}/aliases/{alias}", model_aliases.AliasOne),
    ("/models/{model}/aliases/{alias}/promote", model_aliases.Promote),
    ("/models/{model}/aliases/{alias}/rollback", model_aliases.RollBack),
    ("/models/{model}/aliases/{alias}/freeze", model_aliases.Freeze),
    ("/models/{model}/aliases/{alias}/thaw", model_aliases.Thaw),
    ("/lineage", lineage.Lineage),
    ("/datasets", datasets.DatasetRows),
    ("/datasets/{dataset}", datasets.DatasetOne),
    ("/datasets/{dataset}/versions", datasets.DatasetVersions),
    ("/tenants/{tenant}/deployments", deployments.DeploymentList),
    ("/tenants/{tenant}/deployments/{deployment}", deployments.DeploymentOne),
    ("/tenants/{tenant}/deployments/{deployment}/rollback", deployments.RollBackDeployment),
    ("/tenants/{tenant}/deployments/{deployment}/infer", deployments.Infer),
    ("/tenants/{tenant}/deployments/{deployment}/usage", deployments.DeploymentUsage),
    ("/tenants/{tenant}/deployments/{deployment}/logs", deployments.DeploymentLogs),
    ("/model-keys", model_keys.Keys),
    ("/model-keys/{key}/revoke", model_keys.Revoke),
    ("/platform/statements/verify", model_keys.Chain),
    ("/schedules", schedules.ScheduleList),
    ("/schedules/preview", schedules.ScheduleTimes),
    ("/schedules/{schedule}", schedules.ScheduleOne),
    ("/schedules/{schedule}/runs", schedules.ScheduleRuns),
    ("/tenants/{tenant}/webhook-secret", schedules.Secret),
    ("/tenants/{tenant}/secrets", secrets.SecretRows),
    ("/tenants/{tenant}/secrets/{secret}", secrets.SecretOne),
    ("/tenants/{tenant}/secrets/{secret}/uses", secrets.SecretUsesOne),
    ("/tenants/{tenant}/triggers", triggers.TriggerList),
    ("/triggers/{trigger}", triggers.TriggerOne),
    ("/triggers/{trigger}/events", triggers.TriggerEvents),
    ("/triggers/{trigger}/test", triggers.TriggerTest),
    ("/triggers/{trigger}/rotate", triggers.TriggerRotate),
    ("/tenants/{tenant}/pipelines/check", pipelines.PipelineCheck),
    ("/tenants/{tenant}/pipeline-runs", pipelines.PipelineRunList),
    ("/pipeline-runs/{run}", pipelines.PipelineRunOne),
    ("/pipeline-runs/{run}/retry", pipelines.PipelineRetry),
    ("/pipeline-runs/{run}/comparison", pipeline_comparison.PipelineComparison),
    ("/internal/jobs/{job}/files", internal.RunnerFiles),
    ("/internal/jobs/{job}/files/{sha256}", internal.RunnerPack),
    ("/internal/jobs/{job}/log", internal.RunnerLog),
    ("/internal/jobs/{job}/log/pieces", internal.RunnerLogPiece),
    ("/internal/jobs/{job}/progress", internal.RunnerProgressReport),
    ("/internal/jobs/{job}/models", runner_models.RunnerModels),
    ("/internal/jobs/{job}/models/{version}/files/{name}", runner_models.RunnerModelFile),
    ("/internal/releases/{release}/models", runner_releases.ReleaseModel),
    ("/internal/releases/{release}/models/{version}/files/{name}", runner_releases.ReleaseModelFile),
    ("/internal/releases/{release}/problem", runner_releases.ReleaseProblem),
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
        (f"{own}models/([^/]+)", jobs_page.ModelsPage, given),
        (f"{own}pipelines/([^/]+)", jobs_page.PipelinesPage, given),
        (f"{own}platform", jobs_page.PlatformPage, given),
        (f"{own}teams", jobs_page.TeamsPage, given),
        (f"{own}notifications", jobs_page.NotificationsPage, given),
        (f"{own}approvals", jobs_page.ApprovalsPage, given),
        (f"{own}approvals/([^/]+)", jobs_page.ApprovalsPage, given),
        (f"{own}{CALLBACK}", jobs_page.Callback, {"context": given["context"]}),
        (f"{own}hooks/([^/]+)", hooks.Hook, {"context": given["context"]}),
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
