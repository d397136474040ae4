"""Asks the hub's own records whose a pod is: the job's row, or the ticket of the server or release."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from .. import constants
from ..admission.base import Admission, AdmissionRefused, AdmissionUnavailable
from ..domain.pods import PodFact
from ..domain.possessions import Claim, is_metered, label_claim, owner_of, possession
from ..domain.tenants import Tenant
from ..domain.usage import Attribution, Possession
from ..registry import RegistryProvider

log = logging.getLogger(__name__)

# Seconds that a pod's facts wait for the queue to say whose it is; then the pod's labels have to do.
_TIMEOUT = 5.0


# Whose the run of this id is, in the team of this name; None: not known.
JobClaim = Callable[[str, str], Awaitable[Claim | None]]


class Claims:
    """Whose pods are. A ticket is filed before its pod is created, so the ticket is there when the pod is seen."""

    def __init__(self, provider: RegistryProvider, admission: Admission, job_claim: JobClaim | None = None) -> None:
        """``job_claim`` knows whose a job of a team is; None where nobody here does."""
        self._provider = provider
        self._admission = admission
        self._job_claim = job_claim

    async def possession(self, pod: PodFact) -> Possession | None:
        """What the pod holds and for whom; None for a pod that is not metered."""
        registry = self._provider.registry
        tenant = self._tenant(pod)
        if tenant is None or not is_metered(pod):
            return None
        owner = owner_of(pod, registry.hub)
        claim = await self._claim(tenant, pod, owner)
        return possession(tenant, pod, owner, claim, registry.catalogue, simulated=registry.cluster.simulated)

    def _tenant(self, pod: PodFact) -> Tenant | None:
        for tenant in self._provider.registry.tenants.values():
            if (tenant.vcluster.namespace, tenant.vcluster.name) == (pod.host_namespace, pod.vcluster):
                return tenant
        return None

    async def _claim(self, tenant: Tenant, pod: PodFact, owner: tuple[str, str]) -> Claim | None:
        kind, name = owner
        found = None
        if kind == constants.KIND_JOB and self._job_claim is not None:
            found = await self._job_claim(tenant.name, name)
        elif kind in (constants.KIND_SERVER, constants.KIND_DEPLOYMENT):
            found = await self._of_ticket(tenant, kind, name)
        return found or label_claim(pod)

    async def _of_ticket(self, tenant: Tenant, kind: str, owner: str) -> Claim | None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                seen = await self._admission.overview(tenant.name)
        except (AdmissionUnavailable, AdmissionRefused, TimeoutError) as error:
            log.warning("whose a pod of %s is can't be asked, its labels have to do: %s", tenant.name, error)
            return None
        for ticket in seen.tickets:
            if (ticket.kind, ticket.owner) == (kind, owner) and ticket.user:
                return Claim(ticket.user, ticket.profile, Attribution.TICKET)
        return None
