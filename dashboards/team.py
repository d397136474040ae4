"""The dashboard of one team. Each query names the team, so that it says the same through the team's own address."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from .panels import BYTES, COUNT, HALF, QUARTER, RATIO, SECONDS, board, lines, number, rows, team_variable


def team() -> Dashboard:
    """What a team holds of its quota, what it costs, whether it is used, and what waits."""
    made = board("aifactory-team", "AIFactory / Team", "What a team holds, spends, uses and waits for.")
    made = made.with_variable(team_variable("aifactory_usage_held_seconds_total"))
    for part in (_now, _quota, _budget, _use, _jobs, _servers):
        made = part(made)
    return made


def _now(made: Dashboard) -> Dashboard:
    held, quota = (
        'aifactory:tenant_quota_used:devices{tenant="$tenant"}',
        'aifactory:tenant_quota:devices{tenant="$tenant"}',
    )
    return (
        made.with_row(Row("Now"))
        .with_panel(
            number("Devices held", "Devices that the team holds now, those that it borrowed too.", f"sum({held})")
        )
        .with_panel(number("Devices owned", "The team's own quota of devices.", f"sum({quota})"))
        .with_panel(
            number("Pods", "Servers and jobs that hold a profile now.", 'sum(aifactory_usage_held{tenant="$tenant"})')
        )
        .with_panel(
            number(
                "Longest wait",
                "How long the job waits for quota that waits longest. Unknown where none waits.",
                'max(aifactory_jobs_oldest_wait_seconds{tenant="$tenant"})',
                SECONDS,
            )
        )
    )


def _quota(made: Dashboard) -> Dashboard:
    gpus = 'aifactory_usage_gpu_seconds_total{tenant="$tenant"}'
    return (
        made.with_row(Row("Quota"))
        .with_panel(
            lines(
                "Held of each device",
                "Devices that the team holds, by flavor and device. More than it owns is borrowed.",
                [('aifactory:tenant_quota_used:devices{tenant="$tenant"}', "{{flavor}} {{resource}}")],
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Owned of each device",
                "The team's quota, by flavor and device. It changes when tenants.yaml does.",
                [('aifactory:tenant_quota:devices{tenant="$tenant"}', "{{flavor}} {{resource}}")],
            )
        )
        .with_panel(
            lines(
                "GPUs held",
                "Held GPUs by profile, as parts of whole ones: what the bill is made of.",
                [(f"sum by (profile) (rate({gpus}[$__rate_interval]))", "{{profile}}")],
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Waiting tickets",
                "Servers and jobs that wait for quota, by the queue that they are in.",
                [('aifactory:tenant_pending:tickets{tenant="$tenant"}', "{{cluster_queue}}")],
            )
        )
    )


def _budget(made: Dashboard) -> Dashboard:
    spent, limit = 'aifactory_budget_spent{tenant="$tenant"}', 'aifactory_budget_limit{tenant="$tenant"}'
    reserved = 'aifactory_budget_reserved{tenant="$tenant"}'
    return (
        made.with_row(Row("Budget"))
        .with_panel(
            lines(
                "Spent of each budget",
                "The spent part of each of the team's budgets. A gap: the ledger did not know it then.",
                [(f"{spent} / {limit}", "{{budget}}")],
                RATIO,
            )
        )
        .with_panel(
            lines(
                "Spent and reserved",
                "What is spent, and what jobs may still cost besides, in the budget's unit: GPU hours or money.",
                [(spent, "{{budget}} ({{unit}})"), (reserved, "{{budget}} reserved ({{unit}})")],
            )
        )
    )


def _use(made: Dashboard) -> Dashboard:
    return (
        made.with_row(Row("Use"))
        .with_panel(
            lines(
                "Activity of slices",
                "The part of time in which the team's slices compute, on average. A gap: nothing was measured.",
                [('aifactory:tenant_slice_active:avg{tenant="$tenant"}', "activity")],
                RATIO,
            )
        )
        .with_panel(
            lines(
                "GPU memory in use",
                "Memory in use on all slices of the team.",
                [('aifactory:tenant_slice_memory_used:bytes{tenant="$tenant"}', "memory")],
                BYTES,
            )
        )
        .with_panel(
            lines(
                "Servers: busy, idle, unknown",
                "Servers that hold a GPU, by what they were judged last. Unknown: a witness says nothing.",
                [('sum by (verdict) (aifactory_idle_servers{tenant="$tenant"})', "{{verdict}}")],
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Measured slices",
                "How many slices of the team are measured. Fewer than it holds: the others' use is unknown.",
                [('aifactory:tenant_slices:count{tenant="$tenant"}', "slices")],
            )
        )
    )


def _jobs(made: Dashboard) -> Dashboard:
    lately = 'aifactory_jobs_lately_seconds{tenant="$tenant",phase="%s"}'
    return (
        made.with_row(Row("Jobs"))
        .with_panel(
            lines(
                "Jobs by state",
                "Jobs that have not ended.",
                [('aifactory_jobs{tenant="$tenant"}', "{{state}}")],
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Ended in the last hour",
                "Jobs that ended in the hour before, by how they ended.",
                [('sum by (state) (increase(aifactory_jobs_ended_total{tenant="$tenant"}[1h]))', "{{state}}")],
            )
        )
        .with_panel(
            lines(
                "Waits for quota",
                "How long jobs that ended in the last hour had waited: half of them less, and nine of ten less.",
                [(lately % "queued", "{{quantile}}")],
                SECONDS,
            )
        )
        .with_panel(
            lines(
                "Run times",
                "How long jobs that ended in the last hour ran: half of them less, and nine of ten less.",
                [(lately % "ran", "{{quantile}}")],
                SECONDS,
            )
        )
    )


def _servers(made: Dashboard) -> Dashboard:
    phases = 'sum by (le, phase) (rate(aifactory_spawn_phase_seconds_bucket{tenant="$tenant"}[30m]))'
    starts = 'sum by (outcome) (increase(aifactory_spawns_total{tenant="$tenant"}[$__range]))'
    return (
        made.with_row(Row("Servers"))
        .with_panel(
            lines(
                "How long starts take",
                "Nine of ten starts take less: the hub's decision, the ticket's admission, the pod.",
                [(f"histogram_quantile(0.9, {phases})", "{{phase}}")],
                SECONDS,
            )
        )
        .with_panel(
            rows(
                "Starts by how they ended",
                "Starts of servers in the time that is looked at: ready, or the refusal's reason.",
                f"sort_desc({starts})",
                COUNT,
                width=HALF - QUARTER,
            )
        )
        .with_panel(
            number(
                "Control plane",
                "1 when the API of the team's vCluster can be used, 0 when not.",
                'min(aifactory_tenant_api_up{tenant="$tenant"})',
            )
        )
    )
