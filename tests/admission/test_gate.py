"""Nothing gets a ticket past the policies: each way of filing one, and each place that could make another way."""

from __future__ import annotations

import ast
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aifactory_hub.admission import (
    AdmissionUnavailable,
    GatedAdmission,
    InProcessAdmission,
    PolicyRefused,
)
from aifactory_hub.constants import KIND_DEPLOYMENT, PRIORITY_BATCH
from aifactory_hub.demo.fleet import Neighbours
from aifactory_hub.demo.site import Ports, tenants_yaml
from aifactory_hub.domain.deployments import ReleaseState, ServingPlan
from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.tickets import TicketRequest, TicketState
from aifactory_hub.engines.serving.memory import MemoryServing
from aifactory_hub.registry.load import read_registry
from aifactory_hub.service.deployments.desk import Deployed, DeployWish
from aifactory_hub.service.request_types import ScheduleRequest
from aifactory_hub.service.submissions import SubmitResult
from aifactory_profiles import Resources
from aifactory_spawner import TenantKubeSpawner
from aifactory_spawner.refusals import SpawnRefused

from ..service.world import MIG, World
from ..spawner.hub_in_memory import HubInMemory, make_hub
from ..support.gate import gated
from ..support.models import plant
from ..support.tenants import LARGE, SMALL, make_tenant

WORDS = "the test forbids it"
ROOT = Path(__file__).parents[2]


@dataclass
class Forbidding:
    """Refuses while ``no`` is set, and keeps what it was asked for."""

    no: bool = True
    asked: list[TicketRequest] = field(default_factory=list)

    async def review(self, request: TicketRequest) -> Refusal | None:
        self.asked.append(request)
        return Refusal(RefusalReason.QUOTA_EXCEEDED, WORDS) if self.no else None


@dataclass
class Failing:
    error: Exception

    async def review(self, request: TicketRequest) -> Refusal | None:
        raise self.error


TENANTS = {"nlp": make_tenant("nlp")}


def ask() -> TicketRequest:
    resources = Resources(100, 1, {SMALL.resource: 1})
    return TicketRequest("nlp", "t", "job", "t", "ada", MIG, resources, PRIORITY_BATCH, flavor=SMALL.flavor)


async def test_the_first_refusal_counts_and_nothing_is_filed() -> None:
    queue, first, second = InProcessAdmission(TENANTS), Forbidding(), Forbidding()
    with pytest.raises(PolicyRefused, match=WORDS) as caught:
        await GatedAdmission(queue, [first, second]).request(ask())
    assert caught.value.refusal.reason is RefusalReason.QUOTA_EXCEEDED
    assert (len(first.asked), len(second.asked)) == (1, 0)
    assert await queue.tickets("nlp") == []


async def test_a_ticket_is_filed_when_no_policy_is_against_it() -> None:
    queue, first, second = InProcessAdmission(TENANTS), Forbidding(no=False), Forbidding(no=False)
    gate = GatedAdmission(queue, [first, second])
    ticket = await gate.request(ask())
    assert ticket.state is TicketState.ADMITTED and (len(first.asked), len(second.asked)) == (1, 1)
    await gate.hold("nlp", ticket.name)
    assert (await gate.get("nlp", ticket.name)).active
    assert [t.name for t in await gate.tickets("nlp")] == [ticket.name]
    await gate.release("nlp", ticket.name)
    assert await queue.tickets("nlp") == []


@pytest.mark.parametrize("error", [ValueError("a fault"), AdmissionUnavailable("the database is away")])
async def test_a_policy_that_fails_has_not_said_yes(error: Exception) -> None:
    queue = InProcessAdmission(TENANTS)
    with pytest.raises(AdmissionUnavailable):
        await GatedAdmission(queue, [Failing(error)]).request(ask())
    assert await queue.tickets("nlp") == []


# Ways of filing a ticket. Each ends with the policy's word, and with no ticket of this kind.
Way = Callable[[Path, Forbidding], Awaitable[list[str]]]


async def _names(hub: HubInMemory) -> list[str]:
    return [ticket.name for ticket in await hub.admission.tickets("nlp")]


async def start_server(path: Path, policy: Forbidding) -> list[str]:
    hub = make_hub(nlp={SMALL: 2, LARGE: 1}, vision={SMALL: 1})
    try:
        hub.policies.append(policy)
        hub.restart()
        person = hub.person("ada", nlp=Role.MEMBER)
        with pytest.raises(SpawnRefused, match=WORDS):
            await person.spawn("", options={"tenant": "nlp", "profile": "mig-1g.10gb"})
        return await _names(hub)
    finally:
        await hub.close()
        hub.db.close()
        TenantKubeSpawner.hub_process = None


async def ticket_of_a_running_server(path: Path, policy: Forbidding) -> list[str]:
    policy.no = False
    hub = make_hub(nlp={SMALL: 2, LARGE: 1}, vision={SMALL: 1})
    try:
        hub.policies.append(policy)
        hub.restart()
        person = hub.person("ada", nlp=Role.MEMBER)
        await person.spawn("", options={"tenant": "nlp", "profile": "mig-1g.10gb"})
        [name] = await _names(hub)
        await hub.admission.release("nlp", name)
        policy.no = True
        await person.spawners[""].poll()
        assert policy.asked[-1].running and not policy.asked[0].running
        return await _names(hub)
    finally:
        await hub.close()
        hub.db.close()
        TenantKubeSpawner.hub_process = None


async def _tickets_of(world: World) -> list[str]:
    return [ticket.name for ticket in await world.admission.tickets("nlp")]


def _world(path: Path, policy: Forbidding) -> World:
    return World(path, policies=[policy])


async def submit(path: Path, policy: Forbidding) -> list[str]:
    world = _world(path, policy)
    assert await world.state(await world.submit()) == ("FAILED", WORDS)
    return await _tickets_of(world)


async def attempt_after_a_failure(path: Path, policy: Forbidding) -> list[str]:
    world, policy.no = _world(path, policy), False
    job_id = await world.submit(retries=1, retry_backoff=1)
    await world.settle()
    world.engine.end("nlp", job_id, 3)
    policy.no = True
    await world.settle()
    world.clock.pass_by(600)
    state = await world.state(job_id)
    assert state == ("FAILED", WORDS), state
    return await _tickets_of(world)


async def retry(path: Path, policy: Forbidding) -> list[str]:
    world = _world(path, policy)
    first = await world.submit()
    await world.settle()
    taken = await world.service.submissions.retry(world.job(first), "again")
    assert isinstance(taken, SubmitResult)
    assert await world.state(taken.job.id) == ("FAILED", WORDS)
    return await _tickets_of(world)


async def schedule(path: Path, policy: Forbidding) -> list[str]:
    world = _world(path, policy)
    job = {"command": "python train.py", "profile": MIG}
    asked = ScheduleRequest.model_validate({"key": "s", "cron": "* * * * *", "job": job})
    made = await world.service.scheduler.make("ada", "nlp", asked)
    assert not isinstance(made, Refusal)
    world.clock.pass_by(61)
    await world.service.scheduler.tick()
    await world.settle()
    [job_made] = world.service.jobs.newest(["nlp"], limit=10)
    assert (job_made.state.value, job_made.reason) == ("FAILED", WORDS)
    return await _tickets_of(world)


async def deploy(path: Path, policy: Forbidding) -> list[str]:
    world, policy.no = World(path, policies=[policy], serving=MemoryServing()), False
    job = await world.submit()
    await world.settle()
    version = plant(world.service, job, "fraud", {"model.pkl": b"weights"})
    world.engine.end("nlp", job, 0)
    await world.settle()
    policy.no = True
    model = world.service.models.registry.model(version.model)
    assert model is not None
    parts = world.service.deployments
    wish = DeployWish("nlp", "fraud", model, str(version.number), ServingPlan(MIG), "ada", Role.MEMBER)
    made = await parts.desk.deploy(wish)
    assert isinstance(made, Deployed)
    await parts.tick()
    [release] = parts.stored.releases([made.deployment.id])[made.deployment.id]
    assert (release.state, release.reason) == (ReleaseState.FAILED, WORDS)
    assert policy.asked[-1].kind == KIND_DEPLOYMENT
    return await _tickets_of(world)


async def demo(path: Path, policy: Forbidding) -> list[str]:
    registry = read_registry(tenants_yaml(Ports(1, 2, 3, 4, 5)), "demo")
    queue = InProcessAdmission(registry.tenants)
    gate = gated(queue, lambda: registry.tenants, policy)
    with pytest.raises(PolicyRefused, match=WORDS):
        await Neighbours(gate, registry.catalogue, scenario="busy").step()
    return [ticket.name for tenant in registry.tenants for ticket in await queue.tickets(tenant)]


WAYS: list[Way] = [
    start_server,
    ticket_of_a_running_server,
    submit,
    attempt_after_a_failure,
    retry,
    schedule,
    deploy,
    demo,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_each_way_of_filing_a_ticket_passes_the_policies(way: Way, tmp_path: Path) -> None:
    policy = Forbidding()
    assert await way(tmp_path, policy) == []
    assert policy.asked


def _calls(name: str) -> Iterator[tuple[str, ast.Call, ast.AST | None]]:
    """Calls of ``name`` in the product, each with its file and the statement that it is in."""
    for folder in ("aifactory_hub", "spawner", "profiles"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for statement in ast.walk(ast.parse(path.read_text())):
                if isinstance(statement, ast.stmt) and not hasattr(statement, "body"):
                    for node in ast.walk(statement):
                        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == name:
                            yield str(path.relative_to(ROOT)), node, statement


# These only read tickets and give them back.
_WITHOUT_GATE = {"aifactory_hub/cli/remove_team.py", "aifactory_hub/cli/tickets.py"}
# What takes a ticket, and so takes the gate and no Admission: the type checker does the rest.
_FILE_TICKETS = {
    "aifactory_hub/service/controller/steps.py",
    "aifactory_hub/service/deployments/steps.py",
    "aifactory_hub/demo/fleet.py",
    "spawner/aifactory_spawner/server.py",
    "spawner/aifactory_spawner/tickets.py",
}


@pytest.mark.parametrize("queue", ["KueueAdmission", "InProcessAdmission"])
def test_every_queue_of_the_product_stands_behind_the_gate(queue: str) -> None:
    made = {path for path, _, _ in _calls(queue)}
    gates = {path for path, _, _ in _calls("GatedAdmission")}
    assert made and made - _WITHOUT_GATE <= gates


def test_only_the_known_places_file_tickets() -> None:
    found = {
        path for path, call, _ in _calls("request") if isinstance(call.func, ast.Attribute) and _is_admission(call)
    }
    assert found == _FILE_TICKETS | {"aifactory_hub/admission/gated.py"}


def _is_admission(call: ast.Call) -> bool:
    assert isinstance(call.func, ast.Attribute)
    return ast.unparse(call.func.value).split(".")[-1] in ("admission", "_admission", "_inner")
