"""The tenants' vClusters: one client each, and whether it answers."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import constants
from ..domain.tenants import Tenant
from .answers import TENANT_LIMITS
from .api import KubeApi
from .credentials import Credential, CredentialError, parse_kubeconfig
from .errors import ApiError, ApiUnreachable

log = logging.getLogger(__name__)

# Seconds.
RECHECK = 30.0  # how long a credential is used before its Secret is looked at again
REMEMBER_FAILURE = 2.0  # a tenant that hangs costs the next callers nothing for this long
PROBE = 3.0  # how long a tenant's API may take to say that it is ready
READ = 1.5  # how long the host may take to hand out the credential
EXPLAIN = 1.0  # how long the host may take to say whether a vCluster that does not answer is paused
GATHER = 4.8  # all of it, so that a caller hears "no" in under 5 s
HOST_AGAIN = 5.0  # how soon to look again after the host did not answer
NEWCOMERS = 2.0  # how often to look at a vCluster that has not answered yet, so that a new team waits for nothing
NEW_FOR = 120.0  # for how long such a one is new
DRAIN = 15.0  # calls on a replaced client may still end; longer than any call but a watch


class TenantUnavailable(Exception):
    """The tenant's vCluster can't be used now, and why."""

    def __init__(self, tenant: str, reason: str) -> None:
        super().__init__(f"The vCluster of team {tenant} can't be used now: {reason}.")
        self.tenant = tenant
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TenantHealth:
    """``since``: epoch seconds when it became so; None before the first check.

    ``asleep``: the provisioner put its control plane to sleep, and wakes it for whatever starts.
    """

    ok: bool
    reason: str | None
    since: float | None
    asleep: bool = False


@dataclass(slots=True)
class _Entry:
    """What is kept of one tenant. Nothing of it is ever shared with another."""

    tenant: Tenant
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    api: KubeApi | None = None
    digest: str | None = None
    read_at: float | None = None
    suspect: bool = False
    failed_at: float | None = None
    heard: int = 0
    answered: bool = False
    health: TenantHealth = TenantHealth(False, "not checked yet", None)


class TenantClients:
    """Clients of the tenants' APIs under the credential in the Secret named ``secret``. ``close`` it.

    A Secret that changed gives a new client; the old one is closed after a while, so that calls on it can end.
    """

    def __init__(
        self,
        host: KubeApi,
        tenants: Mapping[str, Tenant],
        secret: str,
        *,
        clock: Callable[[], float] = time.time,
        drain: float = DRAIN,
        probe: float = PROBE,
    ) -> None:
        self._host = host
        self._secret = secret
        self._clock = clock
        self._drain = drain
        self._probe = probe
        self._entries = {name: _Entry(tenant) for name, tenant in tenants.items()}
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining: set[KubeApi] = set()

    async def api(self, tenant: str) -> KubeApi:
        """The tenant's API, answering when last heard. Raises TenantUnavailable in under 5 s."""
        entry = self._entry(tenant)
        # Before the lock, so that a check of a tenant that hangs delays nobody.
        if (api := self._known(entry)) is not None:
            return api
        async with entry.lock:
            return self._known(entry) or await self._connect(entry)

    def serve(self, tenant: Tenant) -> None:
        """Also connect to this tenant, which is not in the registry any more and of which something still runs."""
        self._entries.setdefault(tenant.name, _Entry(tenant))

    def follow(self, tenants: Mapping[str, Tenant]) -> None:
        """Connect to these tenants, too. Those that are no more among them are connected to until ``forget``."""
        for name, tenant in tenants.items():
            known = self._entries.get(name)
            if known is not None and known.tenant.vcluster == tenant.vcluster:
                known.tenant = tenant
            else:
                self.forget(name)
                self._entries[name] = _Entry(tenant)

    def forget(self, tenant: str) -> None:
        """Let go of a tenant that is gone and of which nothing runs. Calls that are under way may still end."""
        entry = self._entries.pop(tenant, None)
        if entry is not None and entry.api is not None:
            self._retire(entry.api)

    def health(self, tenant: str) -> TenantHealth:
        """As last known; asks nobody."""
        return self._entry(tenant).health

    async def check(self, tenant: str) -> TenantHealth:
        """Ask the tenant's API whether it is ready, now. Answers in under 5 s."""
        entry = self._entry(tenant)
        heard = entry.heard
        async with entry.lock:
            # Whoever waited for another's check has its answer: two that hang would take longer than is allowed.
            if entry.heard == heard:
                with contextlib.suppress(TenantUnavailable):
                    await self._connect(entry)
        return entry.health

    def watch_health(self, interval: float = 10) -> asyncio.Task[None]:
        """Check all tenants every ``interval`` seconds, and new ones more often, until it is cancelled or ``close``."""
        return self._spawn(self._check_for_ever(interval), "check tenants")

    async def close(self) -> None:
        """Let go of all connections."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for entry in self._entries.values():
            if entry.api is not None:
                self._draining.add(entry.api)
                entry.api = entry.digest = None
        for api in self._draining:
            await api.close()
        self._draining.clear()

    def _entry(self, tenant: str) -> _Entry:
        try:
            return self._entries[tenant]
        except KeyError:
            raise TenantUnavailable(tenant, "it is not in the tenant registry") from None

    def _known(self, entry: _Entry) -> KubeApi | None:
        if entry.health.ok and entry.api is not None and not self._due(entry):
            return entry.api
        if self._failed_just_now(entry):
            raise TenantUnavailable(entry.tenant.name, entry.health.reason or "unknown")
        return None

    def _due(self, entry: _Entry) -> bool:
        old = entry.read_at is None or abs(self._clock() - entry.read_at) > RECHECK
        return old or entry.suspect or (entry.api is not None and entry.api.closed)

    def _failed_just_now(self, entry: _Entry) -> bool:
        return entry.failed_at is not None and 0 <= self._clock() - entry.failed_at < REMEMBER_FAILURE

    async def _connect(self, entry: _Entry) -> KubeApi:
        if self._entries.get(entry.tenant.name) is not entry:
            raise TenantUnavailable(entry.tenant.name, "it is not in the tenant registry any more")
        try:
            async with asyncio.timeout(GATHER):
                try:
                    api = await self._current(entry)
                    await self._ask(api, entry)
                except _Unusable as error:
                    reason, asleep = await self._explained(entry.tenant, str(error))
                else:
                    self._note(entry, TenantHealth(True, None, None))
                    entry.failed_at = None
                    return api
        except TimeoutError:
            reason, asleep = f"it did not answer within {GATHER:g} s", None
        # One that wakes is not awake before it answers.
        asleep = entry.health.asleep if asleep is None else asleep
        self._note(entry, TenantHealth(False, reason, None, asleep))
        entry.failed_at = self._clock()
        raise TenantUnavailable(entry.tenant.name, reason)

    async def _explained(self, tenant: Tenant, trouble: str) -> tuple[str, bool | None]:
        """That it sleeps (True) or is paused (False), when the host says so; else the trouble that was met (None)."""
        path = f"/apis/apps/v1/namespaces/{tenant.vcluster.namespace}/statefulsets/{tenant.vcluster.name}"
        try:
            found = await self._host.get(path, timeout=EXPLAIN)
        except (ApiError, ApiUnreachable):
            return trouble, None
        if (found.get("spec") or {}).get("replicas") != 0:
            return trouble, None
        if constants.ANNOTATION_ASLEEP in ((found.get("metadata") or {}).get("annotations") or {}):
            return "its vCluster sleeps and wakes for whatever starts, which takes about 10 seconds", True
        return "it is paused: its control plane is scaled to 0", False

    async def _ask(self, api: KubeApi, entry: _Entry) -> None:
        """Whether the API is ready, and takes our credential."""
        try:
            await api.text("/readyz", timeout=self._probe)
        except ApiUnreachable as error:
            raise _Unusable(error.reason) from error
        except ApiError as error:
            # 403 and 404 come from a server that answers: it only does not tell us about its readiness.
            if error.status == 401:
                raise _Unusable(
                    "it refuses the hub's credential (401), which was revoked or belongs to another vCluster"
                ) from error

    async def _current(self, entry: _Entry) -> KubeApi:
        if entry.api is not None and not self._due(entry):
            return entry.api
        try:
            credential, digest = await self._read(entry.tenant)
        except ApiUnreachable as error:
            if entry.api is None or entry.api.closed:
                raise _Unusable(
                    f"the host cluster, which keeps its credential, does not answer: {error.reason}"
                ) from error
            # The host's silence says nothing about the tenant.
            entry.read_at = self._clock() - RECHECK + HOST_AGAIN
            return entry.api
        if entry.api is None or entry.api.closed or digest != entry.digest:
            self._replace(entry, credential, digest)
        entry.read_at, entry.suspect = self._clock(), False
        assert entry.api is not None
        return entry.api

    def _replace(self, entry: _Entry, credential: Credential, digest: str) -> None:
        def suspect() -> None:
            entry.suspect = True

        try:
            api = KubeApi(credential, on_trouble=suspect, limits=TENANT_LIMITS)
        except CredentialError as error:
            raise _Unusable(f"Secret {self._secret} can't be used: {error}") from error
        if entry.api is not None:
            log.info("the credential or address of team %s's vCluster changed: connecting anew", entry.tenant.name)
            self._retire(entry.api)
        entry.api, entry.digest = api, digest

    async def _read(self, tenant: Tenant) -> tuple[Credential, str]:
        """The credential for the Service's ClusterIP, which is in the API's certificate and needs no DNS."""
        where = f"/api/v1/namespaces/{tenant.vcluster.namespace}"
        try:
            secret, service = await asyncio.gather(
                self._host.get(f"{where}/secrets/{self._secret}", timeout=READ),
                self._host.get(f"{where}/services/{tenant.vcluster.name}", timeout=READ),
            )
        except ApiError as error:
            raise _Unusable(_missing(error, self._secret, tenant)) from error
        server = _address(service)
        try:
            config = base64.b64decode(secret["data"]["config"], validate=True)
            # The vCluster's control plane writes it, so the team may: it is bounded, and parsed in a thread.
            credential = (await asyncio.to_thread(parse_kubeconfig, config.decode("utf-8"))).at(server)
        except CredentialError as error:
            raise _Unusable(f"Secret {self._secret} can't be used: {error}") from error
        except (LookupError, TypeError, binascii.Error, UnicodeDecodeError) as error:
            raise _Unusable(f"Secret {self._secret} holds no kubeconfig under the key config") from error
        return credential, hashlib.sha256(server.encode() + b"\x00" + config).hexdigest()

    def _note(self, entry: _Entry, health: TenantHealth) -> None:
        before = entry.health
        entry.heard += 1
        entry.answered = entry.answered or health.ok
        since = before.since if before.ok == health.ok and before.since is not None else self._clock()
        entry.health = TenantHealth(health.ok, health.reason, since, health.asleep)
        if before.ok != health.ok or (before.since is None and not health.ok):
            state = "answers" if health.ok else f"can't be used: {health.reason}"
            log.log(logging.INFO if health.ok else logging.WARNING, "team %s's vCluster %s", entry.tenant.name, state)

    async def _check_for_ever(self, interval: float) -> None:
        # Side by side: a new one that hangs must not delay what is known of the others.
        await asyncio.gather(
            self._keep_checking(lambda: list(self._entries), interval),
            self._keep_checking(self._newcomers, min(NEWCOMERS, interval)),
        )

    def _newcomers(self) -> list[str]:
        def new(since: float | None) -> bool:
            return since is None or 0 <= self._clock() - since < NEW_FOR

        return [name for name, entry in self._entries.items() if not entry.answered and new(entry.health.since)]

    async def _keep_checking(self, names: Callable[[], list[str]], interval: float) -> None:
        while True:
            try:
                # All at once, for the same reason.
                await asyncio.gather(*(self.check(name) for name in names()))
            except Exception:
                log.exception("checking the tenants failed, going on")
            await asyncio.sleep(interval)

    def _retire(self, api: KubeApi) -> None:
        async def close_later() -> None:
            await asyncio.sleep(self._drain)
            self._draining.discard(api)
            await api.close()

        self._draining.add(api)
        self._spawn(close_later(), "close a replaced client")

    def _spawn(self, work: Any, name: str) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Unusable(Exception):
    """Why the tenant can't be used, in words for people."""


def _address(service: Mapping[str, Any]) -> str:
    spec = service.get("spec") or {}
    address = spec.get("clusterIP")
    if not address or address == "None":
        raise _Unusable("its Service has no cluster IP")
    ports = spec.get("ports") or [{}]
    https = next((port for port in ports if port.get("name") == "https"), ports[0])
    host = f"[{address}]" if ":" in address else address
    return f"https://{host}:{https.get('port', 443)}"


def _missing(error: ApiError, secret: str, tenant: Tenant) -> str:
    where = f"namespace {tenant.vcluster.namespace}"
    if error.status == 404:
        missing = f"its Secret {secret} or Service {tenant.vcluster.name} is missing"
        return f"{missing} in {where} (not installed, or not ready yet)"
    # The API's own sentence names service accounts: for the administrator, not for the page.
    log.warning("credential of team %s: %s", tenant.name, error)
    return f"the hub may not read its Secret {secret} or Service {tenant.vcluster.name} in {where} ({error.status})"
