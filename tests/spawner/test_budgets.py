"""A start asks the job service about budgets before a ticket is filed, and the menu says how they stand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from aifactory_hub.domain.budgets import Action, Budget, Step, Unit
from aifactory_hub.domain.tenants import Role
from aifactory_spawner.refusals import SpawnRefused

from .hub_in_memory import HubInMemory, Person, start

REFUSAL = {"reason": "budget", "message": "Budget month of team nlp lets no notebook start now: 5 of 5 used."}


@dataclass
class Service:
    """Answers as the job service does; ``asked`` are the questions."""

    url: str = ""
    refusal: dict[str, str] | None = None
    status: int = 200
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()

    class SiteBudget(RequestHandler):
        def get(self) -> None:
            made.asked.append({name: self.get_arguments(name) for name in self.request.arguments})
            made.tokens.append(self.request.headers["Authorization"])
            words = "5 GPU-hours of 5 GPU-hours used, resets at 2026-12-01 00:00 UTC"
            team = {"tenant": "nlp", "budgets": [{"name": "month", "words": words}], "ends": None}
            self.set_status(made.status)
            self.write(json.dumps({"teams": [{**team, "refusal": made.refusal}]}))

    socket, port = bind_unused_port()
    server = HTTPServer(Application([("/services/aifactory/api/v1/site/budget", SiteBudget)]))
    server.add_socket(socket)
    made.url = f"http://127.0.0.1:{port}"
    yield made
    server.stop()
    await server.close_all_connections()


def person(hub: HubInMemory, service: Service | None, *actions: Action) -> Person:
    steps = tuple(Step(100, action) for action in actions)
    budget = Budget("month", Unit.GPU_HOURS, Fraction(5 * 3600), steps)
    nlp = replace(hub.registry.tenants["nlp"], budgets=(budget,) if steps else ())
    hub.registry = replace(hub.registry, tenants={**hub.registry.tenants, "nlp": nlp})
    ada = hub.person("ada", nlp=Role.MEMBER)
    if service is not None:
        known = SimpleNamespace(url=service.url, prefix="/services/aifactory/", api_token="shared")
        ada.settings["services"] = {"aifactory": known}
    return ada


async def test_a_start_that_a_budget_refuses_files_no_ticket(hub: HubInMemory, service: Service) -> None:
    service.refusal = REFUSAL
    with pytest.raises(SpawnRefused) as refused:
        await start(person(hub, service, Action.REFUSE_NOTEBOOKS))
    assert (refused.value.reason, refused.value.jupyterhub_message) == ("budget", REFUSAL["message"])
    assert await hub.admission.tickets("nlp") == []
    assert service.asked == [{"user": ["ada"], "tenant": ["nlp"], "profile": ["mig-1g.10gb"]}]
    assert service.tokens == ["Bearer shared"]


async def test_with_room_it_starts(hub: HubInMemory, service: Service) -> None:
    await start(person(hub, service, Action.REFUSE_NOTEBOOKS))
    assert len(await hub.admission.tickets("nlp")) == 1


@pytest.mark.parametrize("status", [500, None])
async def test_while_nobody_can_say_it_no_notebook_starts_that_a_budget_may_refuse(
    hub: HubInMemory, service: Service, status: int | None
) -> None:
    service.status = status or 200
    with pytest.raises(SpawnRefused) as refused:
        await start(person(hub, service if status else None, Action.REFUSE_NOTEBOOKS))
    assert (refused.value.reason, refused.value.status_code) == ("budget-unknown", 503)
    assert await hub.admission.tickets("nlp") == []


@pytest.mark.parametrize("actions", [(), (Action.WARN, Action.HOLD)])
async def test_budgets_that_refuse_no_notebook_are_not_asked(
    hub: HubInMemory, service: Service, actions: tuple[Action, ...]
) -> None:
    service.status = 500
    await start(person(hub, service, *actions))
    assert service.asked == []


async def test_the_menu_says_how_they_stand_and_the_form_refuses(hub: HubInMemory, service: Service) -> None:
    choice: Any = person(hub, service, Action.REFUSE_NOTEBOOKS).spawners[""].team_choice
    assert "Budget month: 5 GPU-hours of 5 GPU-hours used, resets at 2026-12-01" in await choice.show_menu()
    service.refusal = REFUSAL
    with pytest.raises(SpawnRefused, match="lets no notebook start now"):
        await choice.read_menu({"tenant": ["nlp"], "profile": ["mig-1g.10gb"]})
    service.status = 500
    assert "How its budgets stand is not known now." in await choice.show_menu()
