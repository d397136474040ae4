"""The command line against a host cluster of the test's own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from aifactory_hub import constants
from aifactory_hub.admission import KueueAdmission
from aifactory_hub.cli import main
from aifactory_hub.clusters import KubeApi
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.domain.tickets import TicketRequest
from aifactory_hub.registry import Registry
from aifactory_profiles import Resources

from ..support.kube_server import KubeServer


def kubeconfig(folder: Path, server: KubeServer) -> str:
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return str(path)


async def run(*arguments: str, answer: str = "") -> Result:
    """In a thread, because the command has an event loop of its own, and the server is in this one."""
    return await asyncio.to_thread(CliRunner().invoke, main, arguments, input=answer, catch_exceptions=False)


async def file_ticket(server: KubeServer, registry: Registry, name: str, **changes: Any) -> None:
    """As the hub or the job service does."""
    api = KubeApi(Credential(server.url))
    asked: dict[str, Any] = {
        "tenant": "nlp",
        "kind": constants.KIND_SERVER,
        "owner": name,
        "user": "ada",
        "profile": "cpu-small",
        "resources": Resources(),
        "priority": constants.PRIORITY_NOTEBOOK,
        "database": "db-1",
        **changes,
    }
    await KueueAdmission(api, registry.tenants, registry.hub).request(TicketRequest(name=name, **asked))
    await api.close()
