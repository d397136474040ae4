"""The spawn page: what it offers, what it says of what can't be had, and what it takes back."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aifactory_hub.domain.quota import Holder, Usage
from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.domain.spawns import SpawnRequest, TenantFacts
from aifactory_hub.domain.tenants import Role
from aifactory_spawner.choices import read_form, read_options
from aifactory_spawner.options_form import Menu, build_menu, render
from aifactory_spawner.refusals import SpawnRefused

from ..support.tenants import LARGE, SMALL, make_catalogue, make_tenant
from .hub_in_memory import HubInMemory

FREE = TenantFacts(Usage())
FULL = TenantFacts(
    Usage({SMALL: 2}, (Holder("server", "a", "alice", {SMALL: 1}), Holder("job", "b", "bob", {SMALL: 1})))
)
NOTHING = SpawnRequest(None, None)


def menu(
    facts: dict[str, TenantFacts],
    *,
    roles: dict[str, Role] | None = None,
    preferred: SpawnRequest = NOTHING,
    simulated: bool = True,
) -> Menu:
    tenants = {name: make_tenant(name, quota={SMALL: 2, LARGE: 1}) for name in ("nlp", "vision")}
    memberships = roles or dict.fromkeys(facts, Role.MEMBER)
    return build_menu(tenants, memberships, facts, make_catalogue(), simulated=simulated, preferred=preferred)


def inputs(html: str, name: str) -> list[str]:
    return [tag for tag in re.findall(r"<input[^>]*>", html) if f'name="{name}"' in tag]


def values(html: str, name: str) -> list[str]:
    return [re.findall(r'value="([^"]*)"', tag)[0] for tag in inputs(html, name)]


def test_who_has_one_team_sees_it_as_text_and_its_profiles_only() -> None:
    html = render(menu({"nlp": FREE}))
    assert values(html, "tenant") == ["nlp"]
    assert 'type="hidden"' in inputs(html, "tenant")[0]
    assert values(html, "profile") == ["cpu-small", "mig-1g.10gb", "mig-3g.40gb"]
    assert "2 of 2 free" in html
    assert "0.40 per hour" in html
    assert "vision" not in html.lower()


def test_who_has_two_teams_chooses_one_and_a_size_says_whose_it_is() -> None:
    html = render(menu({"nlp": FREE, "vision": FREE}))
    assert values(html, "tenant") == ["nlp", "vision"]
    assert "vision/mig-1g.10gb" in values(html, "profile")


def test_a_team_that_one_may_only_look_at_is_not_offered() -> None:
    shown = menu({"nlp": FREE}, roles={"nlp": Role.MEMBER, "vision": Role.VIEWER})
    assert [team.name for team in shown.teams] == ["nlp"]


def test_what_is_full_names_who_holds_it_and_can_not_be_chosen() -> None:
    html = render(menu({"nlp": FULL}))
    assert "full: held by alice (1), bob (1)" in html
    full = next(tag for tag in inputs(html, "profile") if "mig-1g" in tag)
    assert "disabled" in full
    assert "disabled" not in inputs(html, "profile")[0]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (TenantFacts(Usage(), "it did not answer within 3 s"), "unavailable: it did not answer within 3 s"),
        (TenantFacts(None), "unavailable: the cluster does not say now what is in use"),
    ],
    ids=["its vCluster is away", "the quota engine is away"],
)
def test_a_team_that_can_not_be_used_says_why_and_the_others_can_be(facts: TenantFacts, said: str) -> None:
    html = render(menu({"nlp": facts, "vision": FREE}))
    assert said in html
    nlp, vision = inputs(html, "tenant")
    assert "disabled" in nlp
    assert "disabled" not in vision
    assert "checked" in vision


def test_who_has_no_team_is_told_what_to_ask_for() -> None:
    html = render(menu({}, roles={"nlp": Role.VIEWER}))
    assert "Ask a team's admin" in html
    assert inputs(html, "profile") == []


def test_simulated_gpus_are_said_to_be_so() -> None:
    assert "simulated" in render(menu({"nlp": FREE}))
    assert "simulated" not in render(menu({"nlp": FREE}, simulated=False))


@pytest.mark.parametrize(
    ("preferred", "chosen"),
    [
        (NOTHING, "nlp/cpu-small"),
        (SpawnRequest("vision", "mig-3g.40gb"), "vision/mig-3g.40gb"),
        (SpawnRequest("vision", "mig-7g.80gb"), "vision/cpu-small"),
        (SpawnRequest("elsewhere", "mig-3g.40gb"), "nlp/mig-3g.40gb"),
    ],
    ids=["nothing before", "what was chosen", "a profile that is gone", "a team that is gone"],
)
def test_what_was_chosen_before_is_chosen_again(preferred: SpawnRequest, chosen: str) -> None:
    html = render(menu({"nlp": FREE, "vision": FREE}, preferred=preferred))
    checked = [tag for tag in inputs(html, "profile") if "checked" in tag]
    assert [re.findall(r'value="([^"]*)"', tag)[0] for tag in checked] == [chosen]


def test_every_field_has_a_label_and_nothing_from_outside_becomes_markup() -> None:
    tenants = {"nlp": make_tenant("nlp")}
    html = render(menu({"nlp": TenantFacts(Usage(), "<script>alert(1)</script>")}), xsrf='"><b>')
    assert "<script>alert" not in html
    assert '"><b>' not in html
    for tag in inputs(html, "profile"):
        identity = re.findall(r'id="([^"]*)"', tag)[0]
        assert f'for="{identity}"' in html
    assert tenants


@pytest.mark.parametrize(
    ("form", "request_"),
    [
        ({"tenant": ["nlp"], "profile": ["p"]}, SpawnRequest("nlp", "p")),
        ({"profile": ["nlp/p"]}, SpawnRequest("nlp", "p")),
        ({"tenant": ["nlp"], "profile": ["nlp/p"]}, SpawnRequest("nlp", "p")),
        ({"profile": ["p"], "_xsrf": ["x"]}, SpawnRequest(None, "p")),
        ({}, NOTHING),
        ({"tenant": [""], "profile": [""]}, NOTHING),
    ],
    ids=["two fields", "joined", "joined and the same team", "page's own field", "nothing", "empty"],
)
def test_the_form_is_read(form: dict[str, list[str]], request_: SpawnRequest) -> None:
    assert read_form(form) == request_


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"tenant": ["vision"], "profile": ["nlp/p"]}, "you chose team vision"),
        ({"profile": ["a", "b"]}, "was given 2 times"),
        ({"image": ["evil"]}, "no option 'image'"),
        ({"profile_file": [object()]}, "no option 'profile_file'"),
    ],
    ids=["team and size differ", "twice", "unknown field", "an upload"],
)
def test_a_form_that_contradicts_itself_is_refused(form: dict[str, list[Any]], said: str) -> None:
    refusal = read_form(form)
    assert isinstance(refusal, Refusal)
    assert said in refusal.message


def test_a_rest_call_is_read_as_it_is_and_its_team_is_never_guessed_from_the_profile() -> None:
    assert read_options({"profile": "nlp/p"}) == SpawnRequest(None, "nlp/p")


async def test_a_refused_choice_is_told_on_the_form_and_stays_chosen(hub: HubInMemory) -> None:
    ada = hub.person("ada", nlp=Role.MEMBER)
    await hub.person("bob", nlp=Role.MEMBER).spawn("", options={"tenant": "nlp", "profile": "mig-3g.40gb"})
    spawner = ada.named("second")
    with pytest.raises(SpawnRefused, match="Asked 1, used 1, limit 1"):
        await spawner.run_options_from_form({"tenant": ["nlp"], "profile": ["mig-3g.40gb"]})
    spawner = ada.spawner
    with pytest.raises(SpawnRefused, match="another"):
        await spawner.run_options_from_form({"tenant": ["nlp"], "profile": ["mig-1g.10gb"], "another": ["x"]})
    html = await spawner.get_options_form()
    assert "full: held by bob (1)" in html


async def test_an_accepted_choice_becomes_the_options_that_the_hub_keeps(hub: HubInMemory) -> None:
    spawner = hub.person("ada", nlp=Role.MEMBER).spawner
    assert await spawner.run_options_from_form({"profile": ["mig-1g.10gb"]}) == {
        "tenant": "nlp",
        "profile": "mig-1g.10gb",
    }
