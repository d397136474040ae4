"""What may be asked without a token: the page, the service's health, its limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from ... import __version__
from ...constants import MOST_ARTIFACTS
from ...untrusted.json_text import MOST_DEPTH, MOST_VALUES
from ...untrusted.manifests import LARGEST_MANIFEST, LONGEST_NAME, MOST_FILES, MOST_FOLDERS_DEEP
from ...untrusted.packs import MOST_ENTRIES
from ...untrusted.readers import seconds_for
from ..answer_types import HealthAnswer
from ..file_answer_types import LimitsAnswer
from ..request_types import MOST_BODY, PACK_HEADERS, HealthQuery
from .base import Handler, run_sync
from .context import Context
from .operations import Access, operation

# Seconds that each part of the service may take to say that it works; a probe has to wait for two of them.
HEALTH_TIMEOUT = 2.0
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AIFactory jobs</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; color: #1c2733; }}
pre {{ background: #f2f5f8; padding: 1rem; border-radius: 6px; overflow-x: auto; }}
.mark {{ background: #fff3cd; padding: .5rem 1rem; border-radius: 6px; }}
</style>
<h1>AIFactory jobs</h1>
<p>This service takes training jobs from notebooks into the queue of your team, runs them in your team's vCluster
and keeps their logs and files. It is used from a notebook, where everything that it needs is set up:</p>
<pre>from aifactory_hub.client import submit

job = submit("python train.py", profile="mig-1g.10gb")
job.wait()
print(job.logs())
job.artifacts["model.joblib"].save("model.joblib")</pre>
<p>From a terminal in the notebook: <code>aifactory-hub job submit --profile mig-1g.10gb -- python train.py</code>,
<code>aifactory-hub job list</code>.</p>
{mark}<p>Version {version}.</p>
</html>
"""
_MARK = '<p class="mark">The GPUs of cluster {name} are simulated.</p>\n'


class Page(Handler):
    """The page at the service's address, for people who come with a browser."""

    def get(self) -> None:
        """Says what this is."""
        cluster = self.context.registry.cluster
        mark = _MARK.format(name=escape(cluster.name)) if cluster.simulated else ""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.write(_PAGE.format(mark=mark, version=escape(__version__)))


class Health(Handler):
    """Whether the service works, and what it can reach. Names no tenant: anybody may ask."""

    @operation(
        "getHealth",
        "Whether the service works, and what it can reach.",
        answer=HealthAnswer,
        statuses=(200, 503),
        query=HealthQuery,
        access=Access.NOBODY,
    )
    async def get(self) -> None:
        """503 when its threads are stuck, or when the database does not answer: without them nothing works.

        With ``database=false`` the database is not asked. That is for a liveness probe: a restart of the service mends
        no database.
        """
        asked = self.query(HealthQuery)
        status = "ok" if await _in_time(lambda: True) else "stuck"
        database = await _in_time(self.context.jobs.answers) if asked.database and status == "ok" else None
        if database is False:
            status = "database-unavailable"
        file = self.context.provider.status
        body = {
            "status": status,
            "version": __version__,
            "database": database,
            **self.context.reach(),
            # Not why: it names teams.
            "tenants_file": "waits" if file.waits else "refused" if file.trouble else "in use",
            "simulated": self.context.registry.cluster.simulated,
        }
        self.answer(body, 200 if status == "ok" else 503)


async def _in_time(call: Callable[[], bool]) -> bool:
    try:
        async with asyncio.timeout(HEALTH_TIMEOUT):
            return bool(await run_sync(call))
    except (SQLAlchemyError, TimeoutError):
        return False


class Limits(Handler):
    """How much may be sent and kept, in bytes and seconds: so that a client can say so before it sends."""

    @operation("getLimits", "How much may be sent and kept.", answer=LimitsAnswer, access=Access.NOBODY)
    def get(self) -> None:
        """The registry's limits of jobs."""
        jobs = self.context.registry.jobs
        self.answer(
            {
                "max_upload": jobs.max_upload,
                "max_artifacts": jobs.max_artifacts,
                "max_log": jobs.max_log,
                "deadline": jobs.deadline,
                "max_artifact_files": MOST_ARTIFACTS,
                "max_body": MOST_BODY,
                "max_body_depth": MOST_DEPTH,
                "max_body_values": MOST_VALUES,
                "max_pack": jobs.max_upload + PACK_HEADERS,
                "max_pack_entries": MOST_ENTRIES,
                "max_manifest": LARGEST_MANIFEST,
                "max_manifest_files": MOST_FILES,
                "max_name": LONGEST_NAME,
                "max_depth": MOST_FOLDERS_DEEP,
                "reading_seconds": seconds_for(jobs.max_upload),
                "room_per_person": jobs.room_per_person,
                "room_per_team": jobs.room_per_team,
                "keep_free": jobs.keep_free,
                "simulated": self.context.registry.cluster.simulated,
            }
        )


class Description(Handler):
    """The API's description."""

    def initialize(self, context: Context, document: Mapping[str, Any] | None = None) -> None:
        """Called by tornado with the route's arguments."""
        super().initialize(context)
        self._document = document or {}

    @operation("getDescription", "This description.", answer=dict[str, Any], access=Access.NOBODY)
    def get(self) -> None:
        """OpenAPI 3.1, made from the routes."""
        self.answer(self._document)
