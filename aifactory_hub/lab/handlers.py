"""What the panel may ask of the Jupyter server. Each handler wants the login of this server."""

from __future__ import annotations

import asyncio
import copy
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import httpx
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import ensure_async, url_path_join
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, authenticated

from ..client.errors import ClientError, Refused, ServiceUnavailable
from .activity import ActivitySender
from .notice import Notices
from .server import ThisServer
from .subjects import NotASubject, inspect
from .submitting import BadForm, Submitting, read_form, read_timing
from .team_state import TeamState
from .upstream import Unreachable, Upstream, is_allowed

PREFIX = "/aifactory-hub"
# As the service takes them: how many jobs, and what may narrow them.
_MINE, _PAGE = "20", "100"
_FILTERS = ("mine", "state", "text")
_PASSED_BACK = ("Content-Type", "Content-Length", "Content-Disposition", "Retry-After", "X-AIFactory-Log", "Location")
# Whoever reads an answer that stays open is looked up again this often, in seconds.
CHECK_EVERY = 20.0
# A piece that the browser does not take within this many seconds ends the answer.
WRITE_TIMEOUT = 60.0
_PASSED_ON = ("Content-Type", "Accept", "Last-Event-ID", "Idempotency-Key", "Range")


class Handler(APIHandler):
    """What all have in common.

    That the panel asks by itself is no sign of a person: it must not keep an idle server from being stopped.
    """

    _track_activity = False

    def initialize(
        self, upstream: Upstream, here: ThisServer, notices: Notices, activity: ActivitySender, team: TeamState
    ) -> None:
        """Called by tornado with the route's arguments."""
        self.upstream = upstream
        self.team = team
        self.here = here
        self.notices = notices
        self.activity = activity

    def set_default_headers(self) -> None:
        """Called by tornado. What a job wrote is never shown as a page of this origin."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    @property
    def content_security_policy(self) -> str:
        """A file of a job that is opened by its address gets no scripts and no login of this server."""
        return f"{super().content_security_policy}; sandbox"

    def answer(self, body: Mapping[str, Any], status: int = 200) -> None:
        """Send ``body`` as JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(body))

    def refuse(self, status: int, reason: str, message: str, **more: Any) -> None:
        """An error in the service's own form."""
        self.answer({"status": status, "reason": reason, "detail": message, **more}, status)


class Overview(Handler):
    """Where I am and what my team has left, in one answer, so that an idle panel asks seldom."""

    @authenticated
    async def get(self) -> None:
        """Always 200: what can't be had now is null, and ``service`` says why."""
        self.here.watch()
        tenant = self.upstream.account.tenant
        params = {} if tenant is None else {"tenant": tenant}
        mine = {**params, "mine": "true", "limit": _MINE}
        asked = [self._try("quota", params), self._try("jobs", mine)]
        if self.get_query_argument("page", "") == "true":
            narrowed = {name: self.get_query_arguments(name) for name in _FILTERS}
            asked.append(self._try("jobs", {**params, "limit": _PAGE, **narrowed}))
        notice, team, *found = await asyncio.gather(self.notices.now(), self.team.now(), *asked)
        trouble = next((each.message for each in found if isinstance(each, Unreachable)), None)
        quota, own, page = (each if isinstance(each, dict) else None for each in (*found, None)[:3])
        self.answer(
            {
                "here": {**self.here.describe(), "notice": notice, "unused": self.activity.notice},
                "team": team,
                "service": {"reachable": trouble is None, "message": trouble},
                "quota": quota,
                "mine": None if own is None else own["jobs"],
                "page": None if page is None else {"jobs": page["jobs"], "next": page["next"]},
            }
        )

    async def _try(self, path: str, params: Mapping[str, str | list[str]]) -> dict[str, Any] | Unreachable:
        try:
            return await self.upstream.get(path, params)
        except Unreachable as error:
            return error


class Presence(Handler):
    """ "I'm still here"."""

    @authenticated
    async def post(self) -> None:
        """Note that a person is here; the hub hears of it when this server next tells it, within minutes."""
        self.answer({"last_activity": self.here.touch().isoformat(timespec="seconds")})


class Keep(Handler):
    """More time for a server that is idle."""

    @authenticated
    async def post(self) -> None:
        """What is about to happen to it now."""
        try:
            await self.activity.keep()
        except Refused as error:
            self.refuse(error.status, error.reason, error.message)
        except Unreachable as error:
            self.refuse(503, "service-unreachable", error.message)
        else:
            self.answer({"unused": self.activity.notice})


class Asking(Handler):
    """Takes a JSON object and answers what is worked out in a thread; what goes wrong is said in words."""

    @authenticated
    async def post(self) -> None:
        """Called by tornado."""
        body = self.get_json_body()
        if not isinstance(body, dict):
            self.refuse(400, "bad-field", "The request's body is not a JSON object.")
            return
        try:
            answer = await self.work(body)
        except Refused as error:
            numbers = {**error.numbers, "field": error.field}
            self.refuse(error.status, error.reason, error.message, **numbers)
        except (BadForm, NotASubject) as error:
            self.refuse(400, "bad-field", str(error))
        except Unreachable as error:
            self.refuse(503, "service-unreachable", error.message)
        except ServiceUnavailable as error:
            self.refuse(503, "service-unreachable", str(error))
        except ClientError as error:
            self.refuse(400, "bad-request", str(error))
        except OSError as error:
            self.refuse(400, "file-problem", f"A file could not be read or written: {error}")
        else:
            self.answer(answer)

    async def work(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer."""
        raise NotImplementedError

    @property
    def submitting(self) -> Submitting:
        """Submits as this server."""
        return Submitting(self.upstream.account, self.here.root)


class Inspect(Asking):
    """How a file or folder would run as a job."""

    async def work(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Asking."""
        return asdict(await asyncio.to_thread(inspect, self.here.root, str(body.get("path", ""))))


class Check(Asking):
    """What would happen to a job, and how much would travel."""

    async def work(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Asking."""
        form = read_form(body)
        verdict = await self.upstream.post("jobs/dry-run", self.submitting.asked(form))
        return {"verdict": verdict, "size": await asyncio.to_thread(self.submitting.size, form)}


class Submit(Asking):
    """Submit. The page's key makes it one job, however often it is sent."""

    async def work(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Asking."""
        form = read_form(body)
        if not isinstance(form.fields.get("key"), str):
            raise BadForm("key is missing.")
        return await asyncio.to_thread(self.submitting.submit, form)


class MakeSchedule(Asking):
    """Let the service submit a job by the clock. The page's key makes it one schedule, however often it is sent."""

    async def work(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Asking."""
        timing, form = read_timing(body)
        return await asyncio.to_thread(self.submitting.schedule, form, timing)


class Save(Asking):
    """Put a file of a job among the person's own."""

    async def work(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Asking."""
        job, name = str(body.get("job", "")), str(body.get("name", ""))
        return {"path": await asyncio.to_thread(self.submitting.save, job, name)}


class Service(Handler):
    """What is passed on to the job service, with this server's token instead of the browser's cookie."""

    @authenticated
    async def get(self, path: str) -> None:
        """Read."""
        await self._pass_on(path)

    @authenticated
    async def post(self, path: str) -> None:
        """Submit, try, resume."""
        await self._pass_on(path)

    @authenticated
    async def patch(self, path: str) -> None:
        """Pause a schedule, resume it."""
        await self._pass_on(path)

    @authenticated
    async def delete(self, path: str) -> None:
        """Cancel."""
        await self._pass_on(path)

    async def _pass_on(self, path: str) -> None:
        method = self.request.method or ""
        # As it came, still quoted: a file's name may hold anything.
        raw = self.request.path.split(f"{PREFIX}/api/", 1)[-1]
        if not is_allowed(method, raw):
            self.refuse(404, "unknown-path", f"The panel can't ask the job service for {method} {path!r}.")
            return
        headers = {name: self.request.headers[name] for name in _PASSED_ON if name in self.request.headers}
        body = self.request.body if method in ("POST", "PATCH") else None
        try:
            async with self.upstream.opened(
                method, raw, query=_without_proof(self.request.query), body=body, headers=headers
            ) as response:
                await self._pass_back(response)
        except Unreachable as error:
            if self._headers_written:
                self._cut_off()
                return
            self.refuse(503, "service-unreachable", error.message)
        except StreamClosedError:
            return

    async def _pass_back(self, response: httpx.Response) -> None:
        # 401 would tell JupyterLab that its own login has ended; it is this server's token that was refused.
        self.set_status(502 if response.status_code == 401 else response.status_code)
        for name in _PASSED_BACK:
            if name in response.headers:
                self.set_header(name, response.headers[name])
        if "/artifacts/" in self.request.path:
            self.set_header("Content-Disposition", "attachment")
        checked = time.monotonic()
        async for chunk in response.aiter_raw():
            if time.monotonic() - checked >= CHECK_EVERY:
                if not await self._still_signed_in():
                    self._cut_off()
                    return
                checked = time.monotonic()
            self.write(chunk)
            try:
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await self.flush()
            except TimeoutError:
                self._cut_off()
                return
        await self.finish()

    async def _still_signed_in(self) -> bool:
        """Whether the person in the browser still has the login of this server.

        What the job service lets this server read, it checks itself. A hub that does not answer changes nothing.
        """
        asking = copy.copy(self)
        for name in ("_jupyterhub_user", "_cached_hub_user", "_current_user"):
            vars(asking).pop(name, None)
        try:
            return await ensure_async(self.identity_provider.get_user(asking)) is not None
        except HTTPError as error:
            return error.status_code >= 500

    def _cut_off(self) -> None:
        """Half an answer must not look like a whole one."""
        connection: Any = self.request.connection
        connection.close()


def _without_proof(query: str) -> str:
    """The query as it came, less what proves to this server where the request was made: nobody else may see it."""
    return "&".join(pair for pair in query.split("&") if not pair.startswith("_xsrf="))


def routes(
    upstream: Upstream, here: ThisServer, notices: Notices, activity: ActivitySender, team: TeamState
) -> list[tuple[str, type[Handler], dict[str, Any]]]:
    """All handlers with their paths below the server's base URL."""
    arguments = {"upstream": upstream, "here": here, "notices": notices, "activity": activity, "team": team}
    found: dict[str, type[Handler]] = {
        "overview": Overview,
        "presence": Presence,
        "keep": Keep,
        "inspect": Inspect,
        "check": Check,
        "submit": Submit,
        "schedule": MakeSchedule,
        "save": Save,
        "api/(.+)": Service,
    }
    return [(url_path_join(PREFIX, path), handler, arguments) for path, handler in found.items()]
