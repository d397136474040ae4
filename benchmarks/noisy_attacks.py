"""What the noisy member of ``benchmarks.noisy`` does, over and over, until the process is ended."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from urllib.parse import urlsplit

import httpx

Attack = Callable[[httpx.AsyncClient, str], Awaitable[None]]

_HEADERS = {"Authorization": "token noisy"}
# As many as one client would open at once.
_AT_ONCE = 16
_HALF = 300
_STREAMS = 400


def pack(entries: Mapping[str, bytes]) -> bytes:
    """A pack of these entries."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), compresslevel=1)


@cache
def legal_pack() -> bytes:
    """As many small files as travel together: mostly headers."""
    contents = [number.to_bytes(4, "big") for number in range(5000)]
    return pack({hashlib.sha256(content).hexdigest(): content for content in contents})


@cache
def hostile_packs() -> tuple[bytes, ...]:
    """Shapes that no client makes: a size below zero, a header of a hundred MiB, a bomb, a wrong digest, no end."""
    header = bytearray(tarfile.TarInfo("0" * 64).tobuf(tarfile.USTAR_FORMAT))
    header[124:136] = (-512).to_bytes(12, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    long_name = tarfile.TarInfo("././@LongLink")
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 100 * 2**20
    pax = tarfile.TarInfo("pax")
    pax.type, pax.size = tarfile.XHDTYPE, 100 * 2**20
    zeros = bytes(100 * 2**20)
    return (
        gzip.compress(bytes(header)),
        gzip.compress(long_name.tobuf(tarfile.GNU_FORMAT) + zeros, compresslevel=1),
        gzip.compress(pax.tobuf(tarfile.USTAR_FORMAT) + zeros, compresslevel=1),
        pack({"0" * 64: b"another content"}),
        legal_pack()[:-100],
    )


@cache
def largest_manifest() -> bytes:
    """Many names, each many folders deep: nearly as large as a manifest may be."""
    folders = "/".join("d" * 1 for _ in range(240))
    files = [{"name": f"{folders}/{number}", "sha256": f"{number:064x}", "size": 0} for number in range(45_000)]
    return json.dumps({"files": files}, separators=(",", ":")).encode()


async def _put(http: httpx.AsyncClient, path: str, body: bytes) -> None:
    digest = hashlib.sha256(body).hexdigest()
    await http.put(f"{path}/{digest}", content=body, headers=_HEADERS)


async def worst_packs(http: httpx.AsyncClient, _: str) -> None:
    """Packs of the worst shape that is allowed."""
    await _put(http, "/uploads/packs", legal_pack())


async def hostile(http: httpx.AsyncClient, _: str) -> None:
    """Packs that are none."""
    for body in hostile_packs():
        await _put(http, "/uploads/packs", body)


async def manifests(http: httpx.AsyncClient, _: str) -> None:
    """Manifests of the largest size that is allowed."""
    await _put(http, "/uploads/manifests", largest_manifest())


async def bodies(http: httpx.AsyncClient, _: str) -> None:
    """JSON of the largest size, and more than that."""
    told = {"command": "true", "profile": "mig-1g.10gb", "key": "k", "provenance": {"diff": "x" * 900_000}}
    await http.post("/jobs", json=told, headers=_HEADERS)
    await http.post("/jobs/dry-run", content=b"[" * 2**20, headers=_HEADERS)
    await http.post("/jobs", content=b"x" * (3 * 2**20), headers=_HEADERS)


async def half_requests(http: httpx.AsyncClient, url: str) -> None:
    """Requests that never come to their end; no token is needed."""
    del http
    where = urlsplit(url)
    opened = []
    for number in range(_HALF):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(where.hostname, where.port)
            half = b"GET / HTTP/1.1\r\nHost: x\r\n" if number % 2 else b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"
            writer.write(half)
            opened.append(writer)
    await asyncio.sleep(2)
    for writer in opened:
        writer.close()


async def streams(http: httpx.AsyncClient, _: str) -> None:
    """Hundreds of streams of all jobs."""

    async def follow() -> None:
        async with http.stream("GET", "/events", headers=_HEADERS) as response:
            async for _ in response.aiter_raw():
                pass

    async def change() -> None:
        for number in range(50):
            job = {"command": "true", "profile": "mig-1g.10gb", "key": f"{id(http)}-{number}"}
            await http.post("/jobs", json=job, headers=_HEADERS)
            await asyncio.sleep(0.1)

    async with asyncio.timeout(10):
        await asyncio.gather(change(), *(follow() for _ in range(_STREAMS)), return_exceptions=True)


async def requests(http: httpx.AsyncClient, _: str) -> None:
    """Ordinary requests as fast as they are answered."""
    await http.get("/jobs?limit=200", headers=_HEADERS)


# By name, each with how many of it go on at once.
ATTACKS: Mapping[str, tuple[Attack, int]] = {
    "requests": (requests, _AT_ONCE),
    "worst-packs": (worst_packs, _AT_ONCE),
    "largest-manifests": (manifests, _AT_ONCE),
    "body-floods": (bodies, _AT_ONCE),
    "half-requests": (half_requests, 4),
    "streams": (streams, 1),
    "hostile-packs": (hostile, _AT_ONCE),
}


async def run_attack(name: str, url: str) -> None:
    """Attack for ever."""
    attack, at_once = ATTACKS[name]
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
    async with httpx.AsyncClient(base_url=f"{url}api/v1", timeout=30, trust_env=False, limits=limits) as http:

        async def again() -> None:
            while True:
                try:
                    await attack(http, url)
                except (httpx.HTTPError, OSError, TimeoutError):
                    await asyncio.sleep(0.01)

        await asyncio.gather(*(again() for _ in range(at_once)))
