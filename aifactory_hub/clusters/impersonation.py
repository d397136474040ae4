"""What an API server would say to somebody else: a server-side dry run in their name."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
from kubernetes_asyncio import client

from .api import ApiError, ApiUnreachable, KubeApi

_SECONDS = 10.0


async def dry_run_as(api: KubeApi, user: str, path: str, body: dict[str, Any]) -> None:
    """POST ``body`` as ``user``, with all admission, and store nothing.

    The caller needs the right to ``impersonate`` that user; for the name of a service account this is a right on
    ``serviceaccounts`` of its namespace. Raises ApiError when the server says no, ApiUnreachable when it says nothing.
    """
    caller = api.core_v1.api_client
    headers = {"Impersonate-User": user, "Content-Type": "application/json", "Accept": "application/json"}
    try:
        await caller.call_api(
            path,
            "POST",
            query_params=[("dryRun", "All")],
            header_params=headers,
            body=body,
            response_type="object",
            auth_settings=["BearerToken"],
            _request_timeout=_SECONDS,
        )
    except client.ApiException as error:
        if error.status is None or error.status >= 500:
            raise ApiUnreachable(f"{api.server}: HTTP {error.status}") from error
        raise ApiError(error.status, *_said(error)) from error
    except (TimeoutError, OSError, aiohttp.ClientError) as error:
        raise ApiUnreachable(str(error) or type(error).__name__) from error


def _said(error: Any) -> tuple[str, str]:
    """Reason and sentence of a refusal."""
    try:
        status = json.loads(error.body)
        return str(status.get("reason", error.reason)), str(status.get("message", ""))
    except (TypeError, ValueError, AttributeError):
        return str(error.reason), ""
