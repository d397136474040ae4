"""A small API server with a memory, over real HTTP, that can be made to fail in the ways that real ones do.

Objects of any kind by path, list with label selectors and pages, watch with bookmarks and 410, merge patch, delete with
preconditions. Not a Kubernetes: it validates nothing and runs nothing.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Json = dict[str, Any]


@dataclass
class Faults:
    """What goes wrong now; the default is nothing.

    ``status`` answers everything with that HTTP status, ``delay`` waits that many seconds before any answer,
    ``silent`` lets watches say nothing and not end, ``gone`` answers watches with 410, as an event when it is "event".
    """

    status: int | None = None
    message: str = "made to fail"
    delay: float = 0.0
    silent: bool = False
    gone: str | None = None


@dataclass
class KubeServer:
    """The server. ``requests`` are (method, path, query) of all that arrived, ``behind`` answers for what stands behind
    its proxy, with status and body."""

    tokens: set[str] = field(default_factory=set)
    faults: Faults = field(default_factory=Faults)
    bookmark_every: float = 0.5
    history_limit: int = 1000
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    page_size: int = 500
    user: str = "somebody"
    hooks: list[Callable[[str, str, Json], Json | None]] = field(default_factory=list)
    behind: Callable[[str, Json], tuple[int, Json]] | None = None

    def __post_init__(self) -> None:
        self._objects: dict[str, Json] = {}
        self._applied: dict[tuple[str, str], Json] = {}
        self._history: list[tuple[int, str, str, Json]] = []
        self._forgotten = 0
        self._version = 0
        self._uids = itertools.count(1)
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._tls: ssl.SSLContext | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen; after ``stop`` on the same port again."""
        app = web.Application(client_max_size=8 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._tls = tls
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=tls, reuse_address=True)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def stop(self) -> None:
        """Stop listening and break all connections; what is stored stays."""
        if self._runner is not None:
            await stop_runner(self._runner)
            self._runner = None

    def put(self, collection: str, obj: Json) -> Json:
        """Create or replace an object, as if another client did."""
        stored = copy.deepcopy(obj)
        metadata = stored.setdefault("metadata", {})
        if "/namespaces/" in f"/{collection}":
            metadata.setdefault("namespace", collection.split("/namespaces/")[1].split("/")[0])
        path = f"{collection}/{metadata['name']}"
        old = self._objects.get(path)
        metadata["uid"] = old["metadata"]["uid"] if old else metadata.get("uid") or f"uid-{next(self._uids)}"
        self._store("MODIFIED" if old else "ADDED", path, stored)
        return stored

    def patch(self, path: str, changes: Json) -> Json:
        return self._store("MODIFIED", path, _merged(self._objects[path], changes))

    def remove(self, path: str, changes: Json | None = None) -> None:
        """Delete it. ``changes`` are seen in the event that says so, and never before."""
        gone = self._objects.pop(path)
        self._store("DELETED", path, _merged(gone, changes or {}))

    def objects(self, collection: str) -> list[Json]:
        return [obj for path, obj in self._objects.items() if path.rsplit("/", 1)[0] == collection]

    def compact(self) -> None:
        """Forget all changes so far, so that older versions can't be watched from."""
        self._forgotten = self._version
        self._history.clear()

    def _store(self, kind: str, path: str, obj: Json) -> Json:
        self._version += 1
        stored = copy.deepcopy(obj)
        stored["metadata"]["resourceVersion"] = str(self._version)
        if kind != "DELETED":
            self._objects[path] = stored
        self._history.append((self._version, kind, path, stored))
        if len(self._history) > self.history_limit:
            self._forgotten = self._history.pop(0)[0]
        self._tell()
        return stored

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.requests.append((request.method, path, dict(request.query)))
        if self.faults.delay:
            await asyncio.sleep(self.faults.delay)
        if self.faults.status:
            return _status(self.faults.status, "Faulty", self.faults.message)
        if self.tokens and request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _status(401, "Unauthorized", "Unauthorized")
        if path in ("/readyz", "/version"):
            return web.Response(text="ok")
        body = await request.json() if request.can_read_body else {}
        for hook in self.hooks:
            answer = hook(request.method, path, body)
            if answer is not None:
                return _status(answer["code"], answer.get("reason", ""), answer.get("message", ""))
        if "/proxy/" in path and self.behind is not None:
            status, answer = self.behind(path, body)
            return web.json_response(answer, status=status)
        if request.method == "GET":
            return await self._get(request, path)
        if request.content_type == "application/apply-patch+yaml":
            return self._apply(path, body, request.query)
        return getattr(self, f"_{request.method.lower()}")(path, body)  # type: ignore[no-any-return]

    async def _get(self, request: web.Request, path: str) -> web.StreamResponse:
        if path in self._objects:
            return web.json_response(self._objects[path])
        if not _is_collection(path):
            return _status(404, "NotFound", f"{path} not found")
        if "watch" in request.query:
            return await self._watch(request, path)
        return self._list(request, path)

    def _selected(self, path: str, obj_path: str, obj: Json, selector: str) -> bool:
        collection = obj_path.rsplit("/", 1)[0]
        everywhere = path.rsplit("/", 1)
        inside = collection == path or (
            "/namespaces/" not in path
            and collection.startswith(f"{everywhere[0]}/namespaces/")
            and collection.endswith(f"/{everywhere[1]}")
        )
        labels = obj["metadata"].get("labels") or {}
        return inside and all(_matches(term, labels) for term in selector.split(",") if term)

    def _list(self, request: web.Request, path: str) -> web.Response:
        selector, fields = request.query.get("labelSelector", ""), request.query.get("fieldSelector", "")
        found = [
            obj
            for where, obj in self._objects.items()
            if self._selected(path, where, obj, selector) and _has_fields(obj, fields)
        ]
        begin = int(request.query.get("continue", 0))
        end = begin + min(int(request.query.get("limit", self.page_size)), self.page_size)
        metadata = {"resourceVersion": str(self._version)}
        if end < len(found):
            metadata["continue"] = str(end)
        return web.json_response({"kind": "List", "metadata": metadata, "items": found[begin:end]})

    async def _watch(self, request: web.Request, path: str) -> web.StreamResponse:
        since = int(request.query.get("resourceVersion", 0))
        expired = since < self._forgotten or self.faults.gone
        if expired and self.faults.gone != "event":
            return _status(410, "Expired", "too old resource version")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if expired:
            await _send(response, "ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})
            return response
        try:
            async with asyncio.timeout(float(request.query.get("timeoutSeconds", 60))):
                async for kind, obj in self._changes(path, since, request.query.get("labelSelector", "")):
                    await _send(response, kind, obj)
        except TimeoutError:
            pass
        return response

    async def _changes(self, path: str, since: int, selector: str) -> AsyncIterator[tuple[str, Json]]:
        while True:
            news = self._changed
            if self.faults.silent:
                await asyncio.sleep(3600)
            for version, kind, where, obj in list(self._history):
                if version > since and self._selected(path, where, obj, selector):
                    yield kind, obj
            since = self._version
            try:
                async with asyncio.timeout(self.bookmark_every):
                    await news.wait()
            except TimeoutError:
                if not self.faults.silent:
                    yield "BOOKMARK", {"metadata": {"resourceVersion": str(self._version)}}

    def _post(self, path: str, body: Json) -> web.Response:
        if path.endswith("/selfsubjectreviews"):
            return web.json_response({"status": {"userInfo": {"username": self.user}}}, status=201)
        where = f"{path}/{body['metadata']['name']}"
        if where in self._objects:
            return _status(409, "AlreadyExists", f"{where} already exists")
        return web.json_response(self.put(path, body), status=201)

    def _patch(self, path: str, body: Json) -> web.Response:
        path = path.removesuffix("/status")
        if path not in self._objects:
            return _status(404, "NotFound", f"{path} not found")
        asked = (body.get("metadata") or {}).get("resourceVersion")
        if asked and asked != self._objects[path]["metadata"]["resourceVersion"]:
            return _status(409, "Conflict", "the object has been modified")
        return web.json_response(self._store("MODIFIED", path, _merged(self._objects[path], body)))

    def _apply(self, path: str, body: Json, query: Any) -> web.Response:
        """Server-side apply: what the manager applied before and does not any more goes, if it is a field."""
        manager = query["fieldManager"]
        old = self._objects.get(path)
        base = copy.deepcopy(old) if old else {}
        _take_away(base, self._applied.get((path, manager), {}), body)
        made = _merged(base, body)
        _keep_added(base, made, self._applied.get((path, manager), {}))
        managers = [each for each in made["metadata"].get("managedFields", ()) if each["manager"] != manager]
        made["metadata"]["managedFields"] = [*managers, {"manager": manager}]
        if "dryRun" in query:
            return web.json_response(made)
        self._applied[path, manager] = copy.deepcopy(body)
        if old != made:
            self.put(path.rsplit("/", 1)[0], made)
        return web.json_response(self._objects[path], status=200 if old else 201)

    def edit(self, path: str, changes: Json, manager: str) -> None:
        """Change an object as somebody's program would."""
        managers = self._objects[path]["metadata"].get("managedFields", [])
        named = {"metadata": {"managedFields": [*managers, {"manager": manager}]}}
        self.patch(path, _merged(changes, named))

    def _delete(self, path: str, body: Json) -> web.Response:
        if path not in self._objects:
            return _status(404, "NotFound", f"{path} not found")
        uid = (body.get("preconditions") or {}).get("uid")
        if uid and uid != self._objects[path]["metadata"]["uid"]:
            return _status(409, "Conflict", "the UID in the precondition does not match")
        self.remove(path)
        return web.json_response({"kind": "Status", "status": "Success"})


async def stop_runner(runner: web.AppRunner) -> None:
    """``runner.cleanup()``, but no connection is lost whose accept is under way.

    asyncio takes a connection in several turns of the loop. A listener that is closed between two of them leaves the
    socket open with nobody to close it, and whichever test the garbage collector runs in fails for it.
    """
    loop = asyncio.get_running_loop()
    for site in runner.sites:
        for listening in site._server.sockets:  # type: ignore[union-attr]
            loop.remove_reader(listening.fileno())
    for _ in range(4):
        await asyncio.sleep(0)
    await runner.cleanup()


@asynccontextmanager
async def kube_server(tls: ssl.SSLContext | None = None, **settings: Any) -> AsyncIterator[KubeServer]:
    """A running server, stopped at the end."""
    server = KubeServer(**settings)
    await server.start(tls)
    try:
        yield server
    finally:
        await server.stop()


def _is_collection(path: str) -> bool:
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    return len(rest) == 1 or (len(rest) == 3 and rest[0] == "namespaces")


def _matches(term: str, labels: dict[str, str]) -> bool:
    if "!=" in term:
        key, value = term.split("!=")
        return labels.get(key) != value
    key, equals, value = term.replace("==", "=").partition("=")
    return labels.get(key) == value if equals else key in labels


def _has_fields(obj: Json, selector: str) -> bool:
    """Whether an object has the values of a field selector such as ``involvedObject.name=a,reason=b``."""
    for term in filter(None, selector.split(",")):
        path, _, value = term.partition("=")
        found: Any = obj
        for part in path.split("."):
            found = (found or {}).get(part)
        if str(found or "") != value:
            return False
    return True


def _merged(old: Any, changes: Any) -> Any:
    if not isinstance(changes, dict):
        return copy.deepcopy(changes)
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def _keep_added(before: Any, made: Any, applied: Any) -> None:
    """Containers that somebody else added stay: they are a list by name."""
    if not isinstance(before, dict) or not isinstance(made, dict):
        return
    for key, value in made.items():
        mine = applied.get(key) if isinstance(applied, dict) else None
        if key == "containers" and isinstance(before.get(key), list):
            known = {each["name"] for each in (*value, *(mine or ()))}
            value += [each for each in before[key] if each["name"] not in known]
        else:
            _keep_added(before.get(key), value, mine)


def _take_away(live: Json, before: Json, now: Json) -> None:
    """Take fields out of ``live`` that are in ``before`` and not in ``now``."""
    for key, value in before.items():
        if key not in now:
            live.pop(key, None)
        elif isinstance(value, dict) and isinstance(now[key], dict) and isinstance(live.get(key), dict):
            _take_away(live[key], value, now[key])


def _status(code: int, reason: str, message: str) -> web.Response:
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    return web.json_response(body, status=code)


async def _send(response: web.StreamResponse, kind: str, obj: Json) -> None:
    await response.write(json.dumps({"type": kind, "object": obj}).encode() + b"\n")
