"""How the parts of a factory fare: what the job service says of them, and how old the newest backup is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Any

from ..clusters import ApiError, ApiUnreachable, KubeApi
from ..domain.doctor import Finding, Stage, Verdict
from ..domain.formatting import duration
from ..registry.manifests import HUB_NAMESPACE

# Seconds. The ledger hears the cluster all the time, a message is tried for a day, backups are daily.
_BEHIND, _WAITS, _OLD = 120, 1800, 2 * 86_400
_BACKUPS = f"/apis/batch/v1/namespaces/{HUB_NAMESPACE}/cronjobs/aifactory-backup"
_LOG = "look at the job service's log: kubectl -n aifactory-system logs deploy/aifactory-jobs"


def factory_url(service: str) -> str:
    """Where the job service says it, by its address."""
    return f"{service.rstrip('/')}/api/v1/site/factory"


def factory_findings(found: dict[str, Any] | str) -> list[Finding]:
    """One finding for each part."""
    if isinstance(found, str):
        todo = f"{_LOG}; an older version of it has no such answer"
        return [_finding("the parts of the factory", Verdict.WARNING, f"not known: {found}", todo)]
    try:
        return [
            *_ledger(found["ledger"]),
            _budgets(found),
            _arrive("messages to webhooks arrive", found["webhooks"], _WEBHOOKS),
            _mail(found["mail"]),
            _prometheus(found["prometheus"]),
        ]
    except (KeyError, TypeError) as error:
        return [_finding("the parts of the factory", Verdict.WARNING, f"not known: its answer lacks {error}", _LOG)]


_WEBHOOKS = "look at the receivers, at jobs.webhook_hosts, and at the egress of networkPolicy in the chart's values"
_MAIL = "look at AIFACTORY_HUB_MAIL_... of the job service, and at the egress of networkPolicy in the chart's values"


def _ledger(said: dict[str, Any]) -> Iterator[Finding]:
    behind = said["behind_seconds"]
    late = behind > _BEHIND
    yield _finding(
        "the ledger follows the cluster",
        Verdict.BAD if late else Verdict.GOOD,
        f"it is {duration(behind)} behind: what pods hold meanwhile may never be known" if late else "up to now",
        f"the service's watch of the host's pods is cut off; {_LOG}" if late else "",
    )
    checked = f"the last {said['checked']} of {said['entries']} entries"
    yield _finding(
        "the ledger is as it was written",
        Verdict.BAD if said["trouble"] else Verdict.GOOD,
        said["trouble"] or f"{checked} follow on each other",
        "stop billing by it: aifactory-hub usage verify says all that is wrong, a backup has what was there"
        if said["trouble"]
        else "",
    )


def _budgets(found: dict[str, Any]) -> Finding:
    count = found["budgets"]
    return _finding("budgets", Verdict.GOOD, f"{count} are enforced" if count else "tenants.yaml has none")


def _mail(said: dict[str, Any]) -> Finding:
    check = "mails to people arrive"
    if not said["configured"]:
        return _finding(check, Verdict.GOOD, "no mail server is set (AIFACTORY_HUB_MAIL_HOST), so none is sent")
    return _arrive(check, said, _MAIL)


def _arrive(check: str, said: dict[str, Any], todo: str) -> Finding:
    trouble = f": {said['trouble']}" if said["trouble"] else ""
    if said["given_up"]:
        return _finding(check, Verdict.WARNING, f"{said['given_up']} were given up within a day{trouble}", todo)
    if said["oldest_seconds"] > _WAITS:
        waits = f"{said['waiting']} wait, the oldest for {duration(said['oldest_seconds'])}{trouble}"
        return _finding(check, Verdict.WARNING, waits, todo)
    return _finding(check, Verdict.GOOD, f"{said['waiting']} wait" if said["waiting"] else "none waits")


def _prometheus(said: dict[str, Any]) -> Finding:
    check = "Prometheus answers the job service"
    if not said["configured"]:
        todo = "set telemetry.prometheus, so that idle servers are found and people see what they use"
        return _finding(check, Verdict.WARNING, "tenants.yaml names none", todo)
    if said["trouble"]:
        todo = "look at its pods and at the egress of the job service: networkPolicy.egress in the chart's values"
        return _finding(check, Verdict.BAD, said["trouble"], todo)
    return _finding(check, Verdict.GOOD, "it answers")


async def backup_finding(api: KubeApi, now: float) -> Finding:
    """How old the newest backup is that the chart's CronJob has made. ``now`` in epoch seconds."""
    try:
        job = await api.get(_BACKUPS)
    except ApiUnreachable as error:
        return backups(None, now, unseen=str(error))
    except ApiError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            return backups(None, now, unseen="this credential may not look")
        if error.status == HTTPStatus.NOT_FOUND:
            return backups(None, now)
        return backups(None, now, unseen=str(error))
    return backups(job, now)


def backups(job: dict[str, Any] | None, now: float, *, unseen: str = "") -> Finding:
    """What is said of the CronJob; None: there is none, or, with ``unseen``, nobody could look."""
    check = "a backup is not older than two days"
    if unseen:
        return _finding(check, Verdict.UNSEEN, unseen, "ask with a credential that may read CronJobs")
    if job is None:
        todo = "switch backup.enabled on in the chart's values; where you keep backups by other means, check these"
        return _finding(check, Verdict.WARNING, "the chart makes none", todo)
    todo = "kubectl -n aifactory-system get jobs,pods -l app.kubernetes.io/name=aifactory-backup, and read its log"
    last = (job.get("status") or {}).get("lastSuccessfulTime")
    if last is None:
        return _finding(check, Verdict.WARNING, "none has been made yet", todo)
    age = now - datetime.fromisoformat(str(last).replace("Z", "+00:00")).timestamp()
    if age > _OLD:
        return _finding(check, Verdict.WARNING, f"the newest is {duration(int(age))} old", todo)
    return _finding(check, Verdict.GOOD, f"the newest is {duration(max(0, int(age)))} old")


def _finding(check: str, verdict: Verdict, seen: str, todo: str = "") -> Finding:
    return Finding(Stage.FACTORY, check, verdict, seen, todo)
