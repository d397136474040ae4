"""Whether the hub works with tenants.yaml as it is, for ``aifactory-hub doctor``."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus

from jupyterhub.apihandlers.base import APIHandler
from tornado import web

from ..constants import SCOPE_MEMBERSHIPS


class TenantsFile(APIHandler):
    """For the job service's token, which an administrator has, and for administrators."""

    async def get(self) -> None:
        """See ``registry.provider.FileStatus``; 404 for a hub that follows no file."""
        if SCOPE_MEMBERSHIPS not in self.expanded_scopes and not self.has_scope("admin:users"):
            raise web.HTTPError(HTTPStatus.FORBIDDEN, "This is for the hub's administrators.")
        provider = self.authenticator.registry_provider
        if provider is None:
            raise web.HTTPError(HTTPStatus.NOT_FOUND, "This hub follows no tenants.yaml.")
        self.set_header("Cache-Control", "no-store")
        self.write(asdict(provider.status))
