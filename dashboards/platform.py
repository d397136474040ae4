"""The dashboard of all teams, for administrators of the platform."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from .panels import PER_SECOND, RATIO, SECONDS, THIRD, board, lines, number, rows


def platform() -> Dashboard:
    """How much of the cluster is held and used, who waits, and whether the parts are well."""
    made = board("aifactory-platform", "AIFactory / Platform", "All teams: what is held, used and waited for.")
    for part in (_now, _held, _use, _waits, _parts):
        made = part(made)
    return made


def _now(made: Dashboard) -> Dashboard:
    owned, used = "sum(aifactory:tenant_quota:devices)", "sum(aifactory:tenant_quota_used:devices)"
    return (
        made.with_row(Row("Now"))
        .with_panel(number("Devices held", "Devices that all teams hold now.", used))
        .with_panel(number("Devices free", "Devices of the teams' quotas that nobody holds.", f"{owned} - {used}"))
        .with_panel(number("Pods", "Servers and jobs that hold a profile now.", "sum(aifactory_usage_held)"))
        .with_panel(
            number(
                "Idle servers",
                "Servers that hold a GPU and that nothing has used, as two witnesses say.",
                'sum(aifactory_idle_servers{verdict="idle"})',
            )
        )
    )


def _held(made: Dashboard) -> Dashboard:
    return (
        made.with_row(Row("Held"))
        .with_panel(
            lines(
                "GPUs held by team",
                "Held GPUs as parts of whole ones: what the bills are made of.",
                [("sum by (tenant) (rate(aifactory_usage_gpu_seconds_total[$__rate_interval]))", "{{tenant}}")],
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Held of the quota",
                "The part of a team's own quota that it holds. More than 100 %: it borrows.",
                [
                    (
                        "sum by (tenant) (aifactory:tenant_quota_used:devices)"
                        " / (sum by (tenant) (aifactory:tenant_quota:devices) > 0)",
                        "{{tenant}}",
                    )
                ],
                RATIO,
            )
        )
        .with_panel(
            lines(
                "Spent of budgets",
                "The spent part of each budget. A gap: the ledger did not know it then.",
                [("aifactory_budget_spent / (aifactory_budget_limit > 0)", "{{tenant}} {{budget}}")],
                RATIO,
            )
        )
        .with_panel(
            rows(
                "Stranded tickets",
                "Tickets that no server holds and that only a person may give back: they keep quota from others.",
                "sum by (tenant, reason) (aifactory_held_tickets) > 0",
            )
        )
    )


def _use(made: Dashboard) -> Dashboard:
    return (
        made.with_row(Row("Use"))
        .with_panel(
            lines(
                "Activity by team",
                "The part of time in which a team's slices compute, on average. A gap: nothing was measured.",
                [("aifactory:tenant_slice_active:avg", "{{tenant}}")],
                RATIO,
            )
        )
        .with_panel(
            lines(
                "Servers: busy, idle, unknown",
                "Servers that hold a GPU, by what they were judged last. Unknown: a witness says nothing.",
                [("sum by (verdict) (aifactory_idle_servers)", "{{verdict}}")],
                stacked=True,
            )
        )
    )


def _waits(made: Dashboard) -> Dashboard:
    return (
        made.with_row(Row("Waits and starts"))
        .with_panel(
            lines(
                "Waiting tickets by team",
                "Servers and jobs that wait for quota.",
                [("sum by (tenant) (aifactory:tenant_pending:tickets)", "{{tenant}}")],
                width=THIRD,
            )
        )
        .with_panel(
            lines(
                "Wait for admission",
                "Nine of ten tickets are admitted sooner.",
                [("aifactory:tenant_admission_wait:p90_seconds", "{{tenant}}")],
                SECONDS,
                width=THIRD,
            )
        )
        .with_panel(
            lines(
                "Starts of servers by how they end",
                "Ready, or the refusal's reason.",
                [("sum by (outcome) (rate(aifactory_spawns_total[$__rate_interval]))", "{{outcome}}")],
                PER_SECOND,
                width=THIRD,
            )
        )
    )


def _parts(made: Dashboard) -> Dashboard:
    errors = 'rate(jupyterhub_request_duration_seconds_count{code=~"5.."}[$__rate_interval])'
    return (
        made.with_row(Row("The parts"))
        .with_panel(
            lines(
                "Sign-ins",
                "Sign-ins by how they end.",
                [("sum by (status) (rate(jupyterhub_login_duration_seconds_count[$__rate_interval]))", "{{status}}")],
                PER_SECOND,
                width=THIRD,
            )
        )
        .with_panel(
            lines(
                "Errors of the hub",
                "Requests that the hub answered with an error of its own.",
                [(f"sum by (code) ({errors})", "{{code}}")],
                PER_SECOND,
                width=THIRD,
            )
        )
        .with_panel(
            lines(
                "Servers that ended by themselves",
                "Servers that ended without having been stopped, by reason.",
                [("sum by (reason) (increase(aifactory_server_ends_total[1h]))", "{{reason}}")],
                width=THIRD,
            )
        )
        .with_panel(
            lines(
                "The ledger's lag",
                "How far the ledger is behind the cluster. More than a minute for 5 minutes raises an alert.",
                [("max(aifactory_usage_lag_seconds)", "lag")],
                SECONDS,
                width=THIRD,
            )
        )
        .with_panel(
            lines(
                "Uncertain seconds",
                "Seconds of pods that nobody could know of, in the hour before. They are not billed.",
                [("increase(aifactory_usage_uncertain_seconds_total[1h])", "uncertain")],
                SECONDS,
                width=THIRD,
            )
        )
        .with_panel(
            lines(
                "The host's watch",
                "Seconds since the hub heard of the host's pods last.",
                [("max(aifactory_host_watch_lag_seconds)", "watch")],
                SECONDS,
                width=THIRD,
            )
        )
        .with_panel(
            rows(
                "Control planes that can't be used",
                "Teams whose vCluster does not answer, or sleeps.",
                "aifactory_tenant_api_up == 0",
                width=THIRD,
            )
        )
        .with_panel(
            number(
                "tenants.yaml in use",
                "1 when the hub works with tenants.yaml as it is; 0 when the file is broken or waits for a restart.",
                "min(aifactory_tenants_file_ok)",
                width=THIRD,
            )
        )
        .with_panel(
            number("Orphans", "Pods without a server.", "sum(aifactory_orphan_pods)", width=THIRD),
        )
    )
