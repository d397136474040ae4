"""Files for jobs, sent as the client sends them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

import httpx

from aifactory_hub.store import FileStore, Snapshots
from aifactory_hub.untrusted.readers import ManifestContent


def pack_of(files: Mapping[str, bytes]) -> bytes:
    """A pack of these files' content."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for content in dict.fromkeys(files.values()):
            info = tarfile.TarInfo(hashlib.sha256(content).hexdigest())
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)  # the same files, the same digest


def manifest_of(files: Mapping[str, bytes], **changes: Any) -> bytes:
    """Their manifest."""
    listed = [{"name": n, "sha256": hashlib.sha256(c).hexdigest(), "size": len(c)} for n, c in files.items()]
    return json.dumps({"files": listed, **changes}).encode()


def sha256(content: bytes) -> str:
    """In hex."""
    return hashlib.sha256(content).hexdigest()


async def send_files(http: httpx.AsyncClient, files: Mapping[str, bytes]) -> str:
    """Send them; what a job names them by."""
    pack, manifest = pack_of(files), manifest_of(files)
    sent = await http.put(f"/uploads/packs/{sha256(pack)}", content=pack)
    assert sent.status_code == 201, sent.text
    sent = await http.put(f"/uploads/manifests/{sha256(manifest)}", content=manifest)
    assert sent.status_code == 201, sent.text
    return sha256(manifest)


def keep_files(
    snapshots: Snapshots, files: FileStore, sent: Mapping[str, bytes], owner: str, tenant: str, now: float
) -> str:
    """The same without HTTP."""
    pack, manifest = pack_of(sent), manifest_of(sent)
    with files.incoming(10**8) as incoming:
        incoming.write(pack)
        snapshots.take_pack(tenant, owner, incoming, sha256(pack), most=10**8, now=now)
    named = ManifestContent({sha256(content): len(content) for content in sent.values()}, sum(map(len, sent.values())))
    with files.incoming(10**8) as incoming:
        incoming.write(manifest)
        snapshots.take_manifest(tenant, owner, incoming, sha256(manifest), named, now=now)
    return sha256(manifest)
