"""Of several replicas one works: a Lease of the host's API says which."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from ..clusters import ApiError, ApiUnreachable, KubeApi
from ..registry.manifests import HUB_NAMESPACE

log = logging.getLogger(__name__)

_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{HUB_NAMESPACE}/leases"
# Seconds: for how long a holder that says nothing is believed, when it gives up itself, and how often it says so.
LASTS, GIVES_UP, RENEWS = 15, 10.0, 3.0


class Lease:
    """Who has it works. ``name`` is the Lease's, ``holder`` this replica's own name.

    Whether another one's has run out is measured by our own steady clock, from when we saw it renewed last: clocks of
    two machines are never compared.
    """

    def __init__(self, api: KubeApi, name: str, holder: str, steady: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._path = f"{_LEASES}/{name}"
        self._name = name
        self._holder = holder
        self._steady = steady
        self._seen: tuple[str, float] = ("", 0.0)

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work`` whenever this replica has the lease, until cancelled; it is cancelled when the lease is lost."""
        while True:
            if await self._try():
                log.warning("%s has the lease %s and works", self._holder, self._name)
                await self._while_held(work)
                log.warning("%s has lost the lease %s", self._holder, self._name)
            await asyncio.sleep(RENEWS)

    async def _while_held(self, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.ensure_future(work())
        renewed = self._steady()
        try:
            while not task.done() and self._steady() - renewed < GIVES_UP:
                await asyncio.wait([task], timeout=RENEWS)
                if task.done():
                    break
                held = await self._try()
                if held:
                    renewed = self._steady()
                elif held is False:
                    return
            if task.done():
                task.result()
        finally:
            task.cancel()
            # Not awaited itself: that would take a cancellation of ours for its own.
            await asyncio.wait([task])

    async def release(self) -> None:
        """Let another replica have it at once."""
        with contextlib.suppress(ApiError, ApiUnreachable):
            lease = await self._api.get(self._path)
            if lease["spec"].get("holderIdentity") == self._holder:
                version = lease["metadata"]["resourceVersion"]
                gone = {"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": ""}}
                await self._api.merge_patch(self._path, gone)

    async def _try(self) -> bool | None:
        """Whether we have it now; None when that can't be known."""
        try:
            return await self._take()
        except ApiError as error:
            if error.status == 409:
                return False
            log.warning("the lease %s can't be had: %s", self._name, error)
            return None
        except ApiUnreachable as error:
            log.warning("the lease %s can't be had: %s", self._name, error)
            return None

    async def _take(self) -> bool:
        try:
            lease = await self._api.get(self._path)
        except ApiError as error:
            if error.status != 404:
                raise
            await self._api.create(_LEASES, self._lease({}))
            return True
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder not in ("", self._holder) and not self._run_out(f"{holder} {spec.get('renewTime')}", spec):
            return False
        await self._api.merge_patch(self._path, self._lease(lease["metadata"]))
        return True

    def _run_out(self, said: str, spec: dict[str, Any]) -> bool:
        if said != self._seen[0]:
            self._seen = said, self._steady()
        return self._steady() - self._seen[1] > float(spec.get("leaseDurationSeconds") or LASTS)

    def _lease(self, metadata: dict[str, Any]) -> dict[str, Any]:
        version = {"resourceVersion": metadata["resourceVersion"]} if metadata else {}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, **version},
            "spec": {"holderIdentity": self._holder, "leaseDurationSeconds": LASTS, "renewTime": now},
        }
