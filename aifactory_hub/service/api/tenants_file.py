"""Whether the service works with tenants.yaml as it is."""

from __future__ import annotations

from dataclasses import asdict

from ..answer_types import TenantsFileAnswer
from .base import Handler
from .operations import Access, operation


class SiteTenantsFile(Handler):
    """For the site's administrator: ``aifactory-hub doctor`` shows it."""

    @operation(
        "getTenantsFile",
        "Whether the service works with tenants.yaml as it is.",
        answer=TenantsFileAnswer,
        access=Access.SITE,
    )
    def get(self) -> None:
        """As of the last look at the file, a few seconds ago."""
        self.check_shared_token()
        self.answer(asdict(self.context.provider.status))
