"""One server in one tenant: its ticket, its volume, its pod. All I/O of a start and a stop."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

from aifactory_hub.admission import AdmissionRefused, AdmissionUnavailable, NotAdmitted, PolicyRefused
from aifactory_hub.clusters import ApiError, ApiUnreachable, KubeApi, TenantUnavailable
from aifactory_hub.clusters.tenant_objects import AnyObject, EventObject, NotebookPod
from aifactory_hub.constants import NOTEBOOKS_NAMESPACE
from aifactory_hub.domain.menu import place_in_queue
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.domain.tickets import Ticket, TicketRequest, TicketState

from .binding import Binding
from .host_cluster import HostCluster
from .host_pods import CONTAINER
from .pod_diagnosis import Outcome, PodEvent, diagnose, pod_messages, read_events
from .refusals import failed, refused
from .start_log import StartLog, queue_words

log = logging.getLogger(__name__)

# Raised when an API did not answer, or not in time: nothing may be concluded from it.
NO_ANSWER = (AdmissionUnavailable, ApiError, ApiUnreachable, TenantUnavailable, TimeoutError)

# Seconds.
GONE_TIMEOUT = 60.0
RETRY_PAUSE = 0.5
LOOK_AGAIN = 1.0
REACH_AGAIN = 0.2
POSITION_EVERY = 2.0
# How long the syncer may take to create a host pod for a virtual one that it has already read.
SYNCER_LAG = 1.0
# A token as JupyterHub makes it for a server.
_TOKEN = re.compile(r"[0-9a-zA-Z_-]{32,128}")
# The most events of a pod that are read.
MOST_EVENTS = 200


class Found(Enum):
    """What has the name of our pod in the tenant's vCluster."""

    NOTHING = "nothing"
    OURS = "ours"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Server:
    """``pod`` is its name inside the tenant's vCluster, ``marks`` are labels that the pod carries if it is this one's.

    A pod of that name without these labels is somebody else's, perhaps another hub's: it is never read as ours,
    and never deleted.
    """

    cluster: HostCluster
    binding: Binding
    pod: str
    marks: Mapping[str, str]

    def seen(self) -> PodFact | None:
        """The pod as the host runs it; None when it is not seen, which means nothing while the watch is stale."""
        pod = self.cluster.watch.pod(self.binding.vcluster, NOTEBOOKS_NAMESPACE, self.pod)
        return pod if pod is not None and self._is_ours(pod.labels) else None

    def runs(self) -> bool:
        """Whether the host shows its pod as running, and not as going."""
        pod = self.seen()
        return pod is not None and pod.phase == "Running" and not pod.deleting

    async def token(self) -> str | None:
        """The token of the hub's API that the running pod was given; None where it has none that can be one.

        Raises one of NO_ANSWER.
        """
        api = await self.cluster.clients.api(self.binding.tenant)
        pod = await api.object(self._path, NotebookPod)
        for container in pod.get("spec", {}).get("containers", ()):
            for variable in container.get("env", ()) if container["name"] == CONTAINER else ():
                if variable["name"] == "JUPYTERHUB_API_TOKEN" and _TOKEN.fullmatch(variable.get("value", "")):
                    return str(variable["value"])
        return None

    def _is_ours(self, labels: Mapping[str, str]) -> bool:
        return self.marks.items() <= labels.items()

    async def granted(self, request: TicketRequest, deadline: float, start_log: StartLog) -> Ticket:
        """File the ticket, wait until it is admitted, and hold it. Raises SpawnRefused, at ``deadline`` at last.

        ``deadline`` is a time of the monotonic clock.
        """
        teller = asyncio.create_task(self._tell_place(start_log))
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                return await self._granted(request, start_log)
        except TimeoutError:
            message = "no quota became free in time, so the start was given up. Try again, or a smaller profile."
            raise failed(f"Team {self.binding.tenant}: {message}") from None
        except PolicyRefused as error:
            raise refused(error.refusal) from error
        except AdmissionRefused as error:
            raise failed(f"Team {self.binding.tenant}: {error}") from error
        finally:
            teller.cancel()

    async def _granted(self, request: TicketRequest, start_log: StartLog) -> Ticket:
        while True:
            try:
                await self.cluster.admission.request(request)
                ticket = await self._admitted(start_log)
                await self.cluster.admission.hold(request.tenant, request.name)
            except NotAdmitted:
                start_log.say("queue", "the place was lost to a more urgent request, waiting again")
            except AdmissionUnavailable:
                start_log.say("queue", "the cluster's queue does not answer now, asking again")
            else:
                return ticket
            await asyncio.sleep(RETRY_PAUSE)

    async def _admitted(self, start_log: StartLog) -> Ticket:
        async with aclosing(self._watch_ticket()) as changes:
            async for ticket in changes:
                if ticket.state is TicketState.ADMITTED:
                    start_log.say("queue", "admitted")
                    return ticket
                if ticket.state in (TicketState.GONE, TicketState.FINISHED):
                    raise AdmissionRefused("the request for quota was removed before it was granted")
                if ticket.state is TicketState.EVICTED:
                    # Held by an earlier try that did not get as far as a pod. Released, it can be filed again.
                    await self.cluster.admission.release(ticket.tenant, ticket.name)
                    raise NotAdmitted(ticket.message)
                start_log.say("queue", ticket.message or "waiting for quota")
        raise AdmissionUnavailable("the watch of the ticket ended")

    def _watch_ticket(self) -> Any:
        return self.cluster.admission.watch(self.binding.tenant, self.binding.ticket)

    async def _tell_place(self, start_log: StartLog) -> None:
        tenant, registry = self.binding.tenant, self.cluster.registry
        while True:
            with suppress(AdmissionUnavailable):
                team_load = (await self.cluster.team_loads.of({tenant: None}))[tenant]
                profile = registry.catalogue.profile(self.binding.profile)
                place = place_in_queue(registry.tenants[tenant], profile, team_load, self.binding.ticket)
                if place is not None:
                    told = queue_words(tenant, place)
                    start_log.say("queue", " ".join(told.values()), told)
            await asyncio.sleep(POSITION_EVERY)

    async def awake(self, deadline: float, start_log: StartLog) -> KubeApi:
        """The vCluster's API once it answers: one that slept wakes for the ticket. Raises TenantUnavailable.

        ``deadline`` is a time of the monotonic clock; one that did not sleep is not waited for.
        """
        clients, tenant = self.cluster.clients, self.binding.tenant
        slept = clients.health(tenant).asleep
        while True:
            try:
                return await clients.api(tenant)
            except TenantUnavailable:
                slept = slept or clients.health(tenant).asleep
                if not slept or time.monotonic() > deadline:
                    raise
            start_log.say("pod", "the team's vCluster slept and wakes, which takes about 10 seconds")
            await asyncio.sleep(RETRY_PAUSE)

    async def create_claim(self, body: dict[str, Any], deadline: float) -> None:
        """The home volume's claim, unless it is there. Raises SpawnRefused, also when it is another person's."""
        if await self._create("persistentvolumeclaims", body, deadline) is None:
            await self._check_claim(body)

    async def _check_claim(self, body: dict[str, Any]) -> None:
        """A claim that was there has to name the same person; one that names nobody is from an old version."""
        name, owner = body["metadata"]["name"], _username(body)
        api = await self.cluster.clients.api(self.binding.tenant)
        path = f"/api/v1/namespaces/{NOTEBOOKS_NAMESPACE}/persistentvolumeclaims/{name}"
        found = await api.object(path, AnyObject)
        if owner is not None and _username(found) not in (None, owner):
            raise failed(
                f"In team {self.binding.tenant} the volume {name} is another person's, so it is not opened. An "
                "administrator of the hub has to look at it."
            )

    async def create_pod(self, body: dict[str, Any], deadline: float) -> str | None:
        """Create the pod and return its uid in the vCluster. Raises SpawnRefused.

        What an earlier start of this server left under the name is replaced; anything else is left alone.
        """
        return await self._create("pods", body, deadline)

    async def _create(self, kind: str, body: dict[str, Any], deadline: float) -> str | None:
        path = f"/api/v1/namespaces/{NOTEBOOKS_NAMESPACE}/{kind}"
        while True:
            try:
                api = await self.cluster.clients.api(self.binding.tenant)
                created = await api.create_object(path, body, AnyObject)
                return created["metadata"].get("uid")
            except (TenantUnavailable, ApiUnreachable) as error:
                trouble = str(error)
            except ApiError as error:
                if error.status != 409:
                    raise failed(f"Team {self.binding.tenant}'s vCluster refused it: {error.message}") from error
                if kind != "pods":
                    return None
                trouble = "an earlier pod of this server does not go away"
                await self._clear_way()
            if time.monotonic() > deadline:
                raise failed(f"Team {self.binding.tenant}: {trouble}")
            await asyncio.sleep(RETRY_PAUSE)

    async def _clear_way(self) -> None:
        """Delete the pod that has our pod's name, if it is ours. Raises SpawnRefused if it is not."""
        with suppress(*NO_ANSWER):
            if await self._delete() is Found.FOREIGN:
                raise failed(
                    f"In team {self.binding.tenant}'s vCluster there is a pod {self.pod} that this hub did not "
                    "make for you. It is left alone: ask your team's admin to remove it."
                )
            await self._gone(GONE_TIMEOUT)

    async def _delete(self) -> Found:
        """Delete the pod if it is ours. Raises one of NO_ANSWER."""
        api = await self.cluster.clients.api(self.binding.tenant)
        try:
            found = (await api.object(self._path, AnyObject))["metadata"]
        except ApiError as error:
            if error.status == 404:
                return Found.NOTHING
            raise
        if not self._is_ours(found.get("labels") or {}):
            return Found.FOREIGN
        await api.delete(self._path, uid=found.get("uid"))
        return Found.OURS

    async def follow(self, uid: str | None, deadline: float, start_log: StartLog) -> None:
        """Wait until the pod runs, and log what happens. Raises SpawnRefused as soon as it never will."""
        began = time.monotonic()
        while True:
            pod, events = self.seen(), await self._events(uid)
            for step, text in pod_messages(pod, events):
                start_log.say(step, text)
            diagnosis = diagnose(pod, events, seconds=time.monotonic() - began)
            if diagnosis.outcome is Outcome.RUNS:
                return
            if diagnosis.outcome is Outcome.FAILED:
                raise failed(f"The server did not start: {diagnosis.text}")
            left = deadline - time.monotonic()
            if left <= 0:
                raise failed(f"The server did not start in time: {_stuck(pod, events)}")
            with suppress(TimeoutError):
                await self._until(lambda now, before=pod: now != before, min(LOOK_AGAIN, left))  # type: ignore[misc]

    async def answers(self, port: int, seconds: float) -> None:
        """Wait until the container takes connections. Raises SpawnRefused when it ends before, or after ``seconds``.

        A container counts as ready as soon as its process has begun, and most that fail do so a little later.
        """
        deadline = time.monotonic() + seconds
        while True:
            pod = self.seen()
            if pod is None and not self.cluster.watch.stale:
                raise failed("The server did not start: its pod was deleted while it started")
            diagnosis = diagnose(pod, (), seconds=0)
            if diagnosis.outcome is Outcome.FAILED:
                raise failed(f"The server did not start: {diagnosis.text}")
            if pod is not None and pod.ip and await self.cluster.reach(pod.ip, port):
                return
            if time.monotonic() > deadline:
                where = f"at {pod.ip}:{port}" if pod is not None else "there"
                raise failed(f"The server did not start: its container runs, but nothing answers {where}")
            with suppress(TimeoutError):
                await self._until(lambda now, before=pod: now != before, REACH_AGAIN)  # type: ignore[misc]

    async def _events(self, uid: str | None) -> list[PodEvent]:
        """The virtual pod's events; none when they can't be had, for they only explain."""
        fields = f"involvedObject.name={self.pod}" + (f",involvedObject.uid={uid}" if uid else "")
        path = f"/api/v1/namespaces/{NOTEBOOKS_NAMESPACE}/events"
        try:
            api = await self.cluster.clients.api(self.binding.tenant)
            return read_events(await api.list(path, EventObject, {"fieldSelector": fields}, most=MOST_EVENTS))
        except NO_ANSWER as error:
            log.debug("events of %s: %s", self.pod, error)
            return []

    async def remove(self) -> None:
        """Delete the pod, wait until the host has it no more, then give the ticket back.

        What is gone already is no error. Raises one of NO_ANSWER when something can't be known: the ticket
        is then kept, because its devices may still be in use.
        """
        was_seen = self.seen() is not None
        found = await self._delete()
        await self._gone(GONE_TIMEOUT)
        if found is Found.OURS and not was_seen:
            await asyncio.sleep(SYNCER_LAG)
            await self._gone(GONE_TIMEOUT)
        await self.release()

    async def ticket(self) -> Ticket:
        """The ticket now. Raises AdmissionUnavailable."""
        return await self.cluster.admission.get(self.binding.tenant, self.binding.ticket)

    async def discard(self) -> None:
        """Delete a pod that has no ticket and wait until the host has it no more. Raises one of NO_ANSWER."""
        await self._delete()
        await self.gone()

    async def gone(self) -> None:
        """Wait until the host has no pod of this server. Raises TimeoutError."""
        await self._gone(GONE_TIMEOUT)

    async def release(self) -> None:
        """Give the ticket back. Only for a pod that is gone. Raises AdmissionUnavailable."""
        await self.cluster.admission.release(self.binding.tenant, self.binding.ticket)

    async def _gone(self, seconds: float) -> None:
        await self._until(lambda pod: pod is None, seconds)

    async def _until(self, holds: Callable[[PodFact | None], bool], seconds: float) -> PodFact | None:
        where = (self.binding.vcluster, NOTEBOOKS_NAMESPACE, self.pod)

        def ours_holds(pod: PodFact | None) -> bool:
            return holds(pod if pod is not None and self._is_ours(pod.labels) else None)

        return await self.cluster.watch.wait_for(*where, ours_holds, seconds)

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{NOTEBOOKS_NAMESPACE}/pods/{self.pod}"


def _username(manifest: Mapping[str, Any]) -> str | None:
    """The name of the user for whom kubespawner made an object."""
    name = (manifest["metadata"].get("annotations") or {}).get("hub.jupyter.org/username")
    return None if name is None else str(name)


def _stuck(pod: PodFact | None, events: list[PodEvent]) -> str:
    """What the pod waits for, from the latest event or its own state."""
    if events:
        return events[-1].message
    if pod is None:
        return "the host cluster shows no pod"
    return pod.waiting_message or pod.waiting or f"the pod is {pod.phase}"
