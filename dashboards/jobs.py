"""The dashboard of jobs, of all teams."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from .panels import RATIO, SECONDS, board, lines, number, rows


def jobs() -> Dashboard:
    """What state jobs are in, how they end, and how long they wait and run."""
    made = board("aifactory-jobs", "AIFactory / Jobs", "Jobs of all teams: states, ends, waits and run times.")
    for part in (_now, _states, _times):
        made = part(made)
    return made


def _now(made: Dashboard) -> Dashboard:
    made = made.with_row(Row("Now"))
    for title, description, state in (
        ("Running", "Jobs that run.", "RUNNING"),
        ("Waiting", "Jobs that wait for quota.", "QUEUED"),
        ("Held", "Jobs that wait for an approval, or that a budget holds.", "HELD"),
    ):
        made = made.with_panel(number(title, description, f'sum(aifactory_jobs{{state="{state}"}}) or vector(0)'))
    return made.with_panel(
        number(
            "Longest wait",
            "How long the job waits for quota that waits longest. Unknown where none waits.",
            "max(aifactory_jobs_oldest_wait_seconds)",
            SECONDS,
        )
    )


def _states(made: Dashboard) -> Dashboard:
    ended = "sum by (tenant) (increase(aifactory_jobs_ended_total%s[1h]))"
    failed = ended % '{state="FAILED"}'
    return (
        made.with_row(Row("States and ends"))
        .with_panel(
            lines(
                "Jobs by state",
                "Jobs of all teams that have not ended.",
                [("sum by (state) (aifactory_jobs)", "{{state}}")],
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Ended in the last hour",
                "Jobs that ended in the hour before, by how they ended.",
                [("sum by (state) (increase(aifactory_jobs_ended_total[1h]))", "{{state}}")],
            )
        )
        .with_panel(
            lines(
                "Failures by team",
                "The part of the jobs that ended in the hour before and that failed.",
                [(f"{failed} / ({ended % ''} > 0)", "{{tenant}}")],
                RATIO,
            )
        )
        .with_panel(
            rows(
                "Waiting by team",
                "Jobs of each team that have not begun to run.",
                'sum by (tenant, state) (aifactory_jobs{state=~"HELD|PENDING|QUEUED|STARTING"}) > 0',
            )
        )
    )


def _times(made: Dashboard) -> Dashboard:
    lately = 'aifactory_jobs_lately_seconds{phase="%s",quantile="%s"}'
    made = made.with_row(Row("Waits and run times"))
    for phase, title, told in (("queued", "Waits for quota", "had waited"), ("ran", "Run times", "ran")):
        for quantile, part in (("0.5", "half of them"), ("0.9", "nine of ten")):
            made = made.with_panel(
                lines(
                    f"{title}: {part}",
                    f"How long jobs {told} that ended in the last hour: {part} less.",
                    [(lately % (phase, quantile), "{{tenant}}")],
                    SECONDS,
                )
            )
    return made
