"""What may be asked without a token: the service's health, its limits, its description."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
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
