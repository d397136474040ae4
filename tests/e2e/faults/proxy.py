"""A proxy in front of a real vCluster's API that can be made to fail in the ways that real ones do.

The hub is not told of it: a packet filter rule leads its connections to the vCluster's address here. The proxy's
certificate is signed by the vCluster's own authority, so the hub verifies it as it verifies the real one.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ...support.kube_server import stop_runner
from ..cluster import Cluster

CHAIN = "AIFACTORY-FAULTS"
# Of the hop: not to be passed on.
_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "content-encoding"}


@dataclass(frozen=True)
class Fault:
    """``status`` answers everything so; ``delay`` seconds pass before each answer; ``hang`` never answers;
    ``refuse`` closes the port; ``expired`` shows a certificate that has run out."""

    status: int | None = None
    delay: float = 0.0
    hang: bool = False
    refuse: bool = False
    expired: bool = False


class FaultProxy:
    """``start`` it, set ``fault``, ``stop`` it; all from ordinary threads."""

    def __init__(self, upstream: Callable[[], str], address: str, authority: Authority) -> None:
        self.asked = 0
        self._find_upstream = upstream
        self._upstream = upstream()
        self._good = authority.context(address, days=1)
        self._expired = authority.context(address, days=-1)
        self._fault = Fault()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self.port = 0

    def start(self) -> None:
        self._thread.start()
        self._run(self._listen())

    def stop(self) -> None:
        self._run(self._close())
        self._run(self._let_go())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def set(self, fault: Fault) -> None:
        """From now on. Connections that are open break, as those to a server that dies do."""
        self._run(self._set(fault))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _set(self, fault: Fault) -> None:
        await self._close()
        self._fault = fault
        if not fault.refuse:
            await self._listen()

    async def _listen(self) -> None:
        app = web.Application(client_max_size=8 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._session = aiohttp.ClientSession(auto_decompress=False)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        tls = self._expired if self._fault.expired else self._good
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=tls, reuse_address=True)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def _close(self) -> None:
        if self._runner is not None:
            await stop_runner(self._runner)
            self._runner = None
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _let_go(self) -> None:
        """End the answers that never come."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        fault = self._fault
        if fault.hang:
            await asyncio.sleep(3600)
        await asyncio.sleep(fault.delay)
        if fault.status is not None:
            body = {"kind": "Status", "status": "Failure", "code": fault.status, "message": "made to fail"}
            return web.json_response(body, status=fault.status)
        return await self._pass(request)

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        try:
            async with self._session.request(
                request.method,
                f"{self._upstream}{request.path_qs}",
                headers=headers,
                data=await request.read(),
                ssl=False,
                allow_redirects=False,
            ) as answer:
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
                return web.Response(status=answer.status, headers=kept, body=await answer.read())
        except aiohttp.ClientError as error:
            # The real one behind is away, or back under another address: break the connection, as it would.
            self._upstream = await asyncio.to_thread(self._find_upstream)
            if request.transport is not None:
                request.transport.abort()
            raise web.HTTPBadGateway(text=str(error)) from error


@dataclass(frozen=True)
class Authority:
    """The authority that a vCluster's API certificate is signed by."""

    certificate: x509.Certificate
    key: Any

    @classmethod
    def of(cls, cluster: Cluster, tenant: str) -> Authority:
        data = cluster.get("secret", f"{tenant}-certs", "-n", f"vc-{tenant}")["data"]
        pem = {name: base64.b64decode(data[name]) for name in ("ca.crt", "ca.key")}
        key = serialization.load_pem_private_key(pem["ca.key"], password=None)
        return cls(x509.load_pem_x509_certificate(pem["ca.crt"]), key)

    def context(self, address: str, *, days: int) -> ssl.SSLContext:
        """Serves ``address``; with ``days`` below 0 the certificate has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fault proxy")]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=3))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False)
            .sign(self.key, hashes.SHA256())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "server.pem")
            path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
            context.load_cert_chain(path)
        return context


@contextmanager
def in_front_of(cluster: Cluster, tenant: str) -> Iterator[FaultProxy]:
    """A proxy that everything of this network namespace passes on its way to the tenant's API. Pods go past it."""
    address = str(cluster.get("service", tenant, "-n", f"vc-{tenant}")["spec"]["clusterIP"])

    def upstream() -> str:
        pods = cluster.get("pods", "-l", "app=vcluster", "-n", f"vc-{tenant}")["items"]
        found = [pod["status"]["podIP"] for pod in pods if pod["status"].get("podIP")]
        return f"https://{found[0] if found else '127.0.0.1'}:8443"

    clear_rules()
    proxy = FaultProxy(upstream, address, Authority.of(cluster, tenant))
    proxy.start()
    _iptables("-N", CHAIN)
    _iptables("-I", "OUTPUT", "-j", CHAIN)
    rule = ["-d", f"{address}/32", "-p", "tcp", "--dport", "443", "-j", "REDIRECT", "--to-ports", str(proxy.port)]
    _iptables("-A", CHAIN, *rule)
    try:
        yield proxy
    finally:
        clear_rules()
        proxy.stop()


@contextmanager
def cut_off(address: str) -> Iterator[None]:
    """Nothing of this network namespace, where hub and proxy are, reaches this pod: packets to it are lost."""
    _iptables("-N", CHAIN, table="filter")
    _iptables("-A", CHAIN, "-d", f"{address}/32", "-j", "DROP", table="filter")
    _iptables("-I", "OUTPUT", "-j", CHAIN, table="filter")
    try:
        yield
    finally:
        clear_rules("filter")


def clear_rules(*tables: str) -> None:
    """Take the rules away, also those of a run that was killed."""
    for table in tables or ("nat", "filter"):
        for arguments in (["-D", "OUTPUT", "-j", CHAIN], ["-F", CHAIN], ["-X", CHAIN]):
            _iptables(*arguments, table=table, must=False)


def _iptables(*arguments: str, table: str = "nat", must: bool = True) -> None:
    subprocess.run(["iptables", "-w", "-t", table, *arguments], check=must, capture_output=True, timeout=20)
