"""A release on the real cluster, with the job service's own rights there and no others: the host's admission and
network policies, the way through the vCluster's API server, and what is changed by hand."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import pytest

from aifactory_hub import constants
from aifactory_hub.domain.release_steps import Served
from aifactory_hub.engines.installed import needs_of_site
from aifactory_hub.engines.serving.base import ServeSpec
from aifactory_hub.engines.serving.kubernetes import KubernetesServing
from aifactory_hub.registry.output import yaml_documents
from aifactory_hub.registry.render_vcluster import seeded_objects

from ..cluster import engines
from ..cluster.settings import layout
from ..support.real_runs import TENANT, pipeline_of, spec
from ..support.tenants import make_tenant

pytestmark = pytest.mark.cluster

# Answers what it is asked, as a model's server does, without a service behind it.
_SERVER = (
    "import http.server as h; "
    "get = lambda s: (s.send_response(200), s.end_headers()); "
    "post = lambda s: (s.send_response(200), s.send_header('Content-Type', 'application/json'), s.end_headers(), "
    "s.wfile.write(s.rfile.read(int(s.headers['Content-Length'])))); "
    "h.ThreadingHTTPServer(('', 8080), type('Answers', (h.BaseHTTPRequestHandler,), "
    "{'do_GET': get, 'do_POST': post})).serve_forever()"
)
_BODY = {"inputs": [{"name": "x", "datatype": "INT64", "shape": [1], "data": [7]}]}
_PATH = "/v2/models/fraud/infer"


@asynccontextmanager
async def release(engine: KubernetesServing) -> AsyncIterator[ServeSpec]:
    """One that runs, removed at the end with all that is of it."""
    run = spec("", kind=constants.KIND_DEPLOYMENT, run_id=f"e{secrets.token_hex(8)}", deadline_seconds=None)
    run = replace(run, argv=("python3", "-c", _SERVER))
    wanted = ServeSpec(run, f"t{secrets.token_hex(4)}", "a" * 64)
    await engine.apply(wanted)
    try:
        yield wanted
    finally:
        await engine.unlead(TENANT, wanted.deployment)
        await engine.remove(TENANT, wanted.run.run_id)
        async with asyncio.timeout(120):
            while not await engine.gone(TENANT, wanted.run.run_id):
                await asyncio.sleep(0.2)


@contextmanager
def right_to_deploy() -> Iterator[None]:
    """The job service's account may make deployments in the team's vCluster; at the end it may no more."""

    def allow(*, deployments: bool) -> None:
        needs = needs_of_site(["kubernetes-job"], deployments=deployments)
        engines.allow_service(layout(), TENANT, yaml_documents(seeded_objects(make_tenant(TENANT), needs)))

    allow(deployments=True)
    try:
        yield
    finally:
        allow(deployments=False)


async def until(engine: KubernetesServing, wanted: ServeSpec, holds: Callable[[Served], bool]) -> Served:
    async with asyncio.timeout(180):
        while not holds(seen := await engine.look(wanted)):
            await asyncio.sleep(0.3)
    return seen


async def test_a_release_runs_is_asked_and_put_back() -> None:
    with right_to_deploy():
        await _runs_is_asked_and_put_back()


async def _runs_is_asked_and_put_back() -> None:
    async with pipeline_of(KubernetesServing) as made:
        engine: KubernetesServing = made  # type: ignore[assignment]
        async with release(engine) as wanted:
            seen = await until(engine, wanted, lambda served: served.ready == 1)
            assert (seen.changed, seen.leads) == ("", False)
            await engine.lead(wanted)
            assert (await engine.look(wanted)).leads
            answer = await engine.ask(TENANT, wanted.run.run_id, _PATH, _BODY)
            assert (answer.status, json.loads(answer.body)) == (200, _BODY)
            await asyncio.to_thread(_by_hand, wanted)
            assert (await engine.look(wanted)).changed == "replicas and image and command changed by hand"
            await engine.apply(wanted)
            assert (await engine.look(wanted)).changed == ""
            await until(engine, wanted, lambda served: served.ready == 1)
        assert not (await engine.look(wanted)).exists


def _by_hand(wanted: ServeSpec) -> None:
    """More replicas, and a container beside the one that was made: as the team's own administrator does it."""
    added = {"name": "mine", "image": "registry.invalid/none:1"}
    change = {"spec": {"replicas": 2, "template": {"spec": {"containers": [added]}}}}
    engines.patch(layout(), TENANT, f"deployment/release-{wanted.run.run_id}", json.dumps(change))
