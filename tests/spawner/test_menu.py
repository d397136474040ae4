"""The spawn page: what it offers, what it says of what can't be had, and what it takes back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest

from aifactory_hub.domain.menu import TeamLoad
from aifactory_hub.domain.quota import Holder, Usage
from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.domain.spawns import SpawnRequest
from aifactory_hub.domain.tenants import Role
from aifactory_profiles import SiteProfile, load_catalogue
from aifactory_spawner.choices import read_form, read_options
from aifactory_spawner.options_form import SEARCH_FROM, Menu, build_menu, numbers, render
from aifactory_spawner.refusals import SpawnRefused

from ..support.tenants import LARGE, SMALL, make_catalogue, make_tenant
from .hub_in_memory import HubInMemory

NOW = 1_800_000_000.0


def team_load(*holders: Holder, unavailable: str | None = None, known: bool = True) -> TeamLoad:
    used = sum(holder.devices[SMALL] for holder in holders)
    usage = Usage({SMALL: used}, holders) if known else None
    carved = {SMALL: 7, LARGE: 2}
    return TeamLoad(NOW, usage, unavailable, queue=(), cluster_used={SMALL: used + 1}, carved=carved)


def holder(user: str, kind: str = "server", **times: float) -> Holder:
    return Holder(kind, user, user, {SMALL: 1}, "mig-1g.10gb", **times)


FREE = team_load()
FULL = team_load(holder("alice", since=NOW - 60, ends_by=NOW + 1800), holder("bob"))
NOTHING = SpawnRequest(None, None)


def menu(
    facts: dict[str, TeamLoad],
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
    assert "2 free now" in html
    assert "Team: 2 of 2 free" in html
    assert "Cluster: 6 of 7 free" in html
    assert "1/7 of an H100, 10\u00a0GB" in html
    assert "<b>0.40 EUR</b> an hour" in html
    assert "vision" not in html.lower()


def test_who_has_two_teams_chooses_one_and_a_size_says_whose_it_is() -> None:
    html = render(menu({"nlp": FREE, "vision": FREE}))
    assert values(html, "tenant") == ["nlp", "vision"]
    assert "vision/mig-1g.10gb" in values(html, "profile")


def test_a_team_that_one_may_only_look_at_is_not_offered() -> None:
    shown = menu({"nlp": FREE}, roles={"nlp": Role.MEMBER, "vision": Role.VIEWER})
    assert [team.name for team in shown.teams] == ["nlp"]


def test_what_is_full_can_be_waited_for_and_says_why_how_long_and_what_else() -> None:
    html = render(menu({"nlp": FULL}))
    assert "none free: wait" in html
    assert "Nobody waits before you, expected wait <b>at most 30 min</b>" in html
    assert "nlp uses 2 of 2 1g.10gb; a notebook of alice ends within 30 min and frees 1; free now: mig-3g.40gb." in html
    assert 'alice (1, until <time datetime="2027-01-15T08:30:00Z">2027-01-15 08:30 UTC</time>), bob (1)' in html
    full = next(tag for tag in inputs(html, "profile") if "mig-1g" in tag)
    assert "disabled" not in full
    assert 'value="nlp/mig-1g.10gb/wait"' in full


def test_what_the_team_can_never_have_stays_and_says_why() -> None:
    tenants = {"nlp": make_tenant("nlp", quota={SMALL: 2})}
    asked = {"simulated": True, "preferred": NOTHING}
    html = render(build_menu(tenants, {"nlp": Role.MEMBER}, {"nlp": FREE}, make_catalogue(), **asked))  # type: ignore[arg-type]
    large = next(tag for tag in inputs(html, "profile") if "mig-3g" in tag)
    assert "disabled" in large
    assert "nlp has no quota for 3g.40gb; free now: mig-1g.10gb; ask a team admin for more quota." in html


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (team_load(unavailable="it did not answer within 3 s"), "unavailable: it did not answer within 3 s"),
        (team_load(known=False), "unavailable: the cluster does not say now what is in use"),
    ],
    ids=["its vCluster is away", "the quota engine is away"],
)
def test_a_team_that_can_not_be_used_says_why_and_the_others_can_be(facts: TeamLoad, said: str) -> None:
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


def test_what_is_asked_again_says_the_same_as_the_page() -> None:
    shown = menu({"nlp": FULL, "vision": FREE})
    html, again = render(shown), numbers(shown)
    assert again["as_of"] == "2027-01-15T08:00:00Z"
    for identity, row in again["rows"].items():
        assert f'id="{identity}-now">{again["states"][row["state"]]}</div>' in html
        tag = next(tag for tag in inputs(html, "profile") if f'id="{identity}"' in tag)
        assert f'value="{row["value"]}"' in tag
        assert row["choosable"] == ("disabled" not in tag)
    assert again["unavailable"] == {"nlp": None, "vision": None}


def test_profiles_that_stand_alike_are_told_once() -> None:
    assert len(numbers(menu({"nlp": FREE, "vision": FREE}))["states"]) == 3


def test_many_sizes_can_be_searched_and_few_need_no_search() -> None:
    names = tuple(f"cpu-{n}" for n in range(SEARCH_FROM))
    sizes = [SiteProfile(name, cpu_only=True, cpu_millicores=100, memory_bytes=2**30) for name in names]
    tenants = {"nlp": make_tenant("nlp", profiles=names)}
    asked = (tenants, {"nlp": Role.MEMBER}, {"nlp": FREE}, load_catalogue([], sizes))
    assert 'type="search"' in render(build_menu(*asked, simulated=False, preferred=NOTHING))
    assert 'type="search"' not in render(menu({"nlp": FREE}))


def test_every_field_has_a_label_and_nothing_from_outside_becomes_markup() -> None:
    tenants = {"nlp": make_tenant("nlp")}
    html = render(menu({"nlp": team_load(unavailable="<script>alert(1)</script>")}), xsrf='"><b>')
    assert "<script>alert" not in html
    held = render(menu({"nlp": team_load(holder("<script>alert(2)"), holder("%(id)s"))}))
    assert "<script>alert" not in held
    assert "%(id)s (1)" in held
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
        ({"tenant": ["nlp"], "profile": ["nlp/p/wait"]}, SpawnRequest("nlp", "p", wait=True)),
        ({"tenant": ["nlp"], "profile": ["p"], "wait": ["yes"]}, SpawnRequest("nlp", "p", wait=True)),
    ],
    ids=[
        "two fields",
        "joined",
        "joined, same team",
        "page's own field",
        "nothing",
        "empty",
        "a wait",
        "a wait by link",
    ],
)
def test_the_form_is_read(form: dict[str, list[str]], request_: SpawnRequest) -> None:
    assert read_form(form) == request_


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"tenant": ["vision"], "profile": ["nlp/p"]}, "you chose team vision"),
        ({"profile": ["a", "b"]}, "was given 2 times"),
        ({"profile": ["nlp/p/now"]}, "write <team>/<profile>"),
        ({"profile": ["p"], "wait": ["maybe"]}, "wait is 'maybe'; write yes"),
        ({"image": ["evil"]}, "no option 'image'"),
        ({"profile_file": [object()]}, "no option 'profile_file'"),
    ],
    ids=["team and size differ", "twice", "a third part", "a wait that is none", "unknown field", "an upload"],
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
    with pytest.raises(SpawnRefused, match=r"Asked 1, used 1, limit 1.*choose it again"):
        await spawner.run_options_from_form({"tenant": ["nlp"], "profile": ["mig-3g.40gb"]})
    spawner = ada.spawner
    with pytest.raises(SpawnRefused, match="another"):
        await spawner.run_options_from_form({"tenant": ["nlp"], "profile": ["mig-1g.10gb"], "another": ["x"]})
    html = await spawner.get_options_form()
    assert "Held by bob (1)" in html


async def test_an_accepted_choice_becomes_the_options_that_the_hub_keeps(hub: HubInMemory) -> None:
    spawner = hub.person("ada", nlp=Role.MEMBER).spawner
    assert await spawner.run_options_from_form({"profile": ["mig-1g.10gb"]}) == {
        "tenant": "nlp",
        "profile": "mig-1g.10gb",
    }


async def test_who_is_ready_to_wait_is_taken_and_her_place_is_told(hub: HubInMemory) -> None:
    ada, bob, eve = (hub.person(name, nlp=Role.MEMBER) for name in ("ada", "bob", "eve"))
    await bob.spawn("", options={"tenant": "nlp", "profile": "mig-3g.40gb"})
    spawner = ada.spawner
    options = await spawner.run_options_from_form({"tenant": ["nlp"], "profile": ["nlp/mig-3g.40gb/wait"]})
    assert options == {"tenant": "nlp", "profile": "mig-3g.40gb", "wait": "yes"}
    first = asyncio.ensure_future(ada.spawn("", options=options))
    told = await first_event(spawner, lambda event: event.get("queue"))
    assert told["queue"] == {
        "place": "Position 1 of 1 in the queue of team nlp.",
        "ahead": "Nobody is before you.",
        "wait": "Expected wait: unknown.",
    }
    second = asyncio.ensure_future(eve.spawn("", options=options))
    told = await first_event(eve.spawner, lambda event: event.get("queue"))
    assert told["queue"]["ahead"] == "Before you: ada (mig-3g.40gb)."
    await bob.stop("")
    await first
    second.cancel()
    await asyncio.wait([second])
    await eve.stop("")
    assert [ticket.user for ticket in await hub.admission.tickets("nlp")] == ["ada"]


async def first_event(spawner: Any, wanted: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    async with asyncio.timeout(10):
        # A start begins with steps of its own.
        while not spawner.start_log.told("queue"):
            await asyncio.sleep(0.01)
        async with aclosing(spawner.progress()) as events:
            return await anext(event async for event in events if wanted(event))


def linked(spawner: Any, **given: list[str]) -> Any:
    """The spawner as JupyterHub asks it for its form after a GET whose query was ``given``."""
    spawner.handler = SimpleNamespace(preselected=given, xsrf_token=b"")
    return spawner


def chosen(html: str, field: str) -> list[str]:
    """The values that are checked."""
    checked = [tag for tag in inputs(html, field) if "checked" in tag]
    return [re.findall(r'value="([^"]*)"', tag)[0] for tag in checked]


@pytest.mark.parametrize(
    ("given", "profile"),
    [
        ({"tenant": ["vision"], "profile": ["mig-1g.10gb"]}, "vision/mig-1g.10gb"),
        ({"profile": ["vision/mig-1g.10gb"]}, "vision/mig-1g.10gb"),
        ({"tenant": ["vision"]}, "vision/cpu-small"),
    ],
)
async def test_a_link_only_chooses_on_the_menu(hub: HubInMemory, given: dict[str, list[str]], profile: str) -> None:
    spawner = linked(hub.person("ada", nlp=Role.MEMBER, vision=Role.MEMBER).spawner, **given)
    html = await spawner.get_options_form()
    assert chosen(html, "profile")[-1] == profile
    assert chosen(html, "tenant") == ["vision"]
    assert "Nothing is started before you press Start" in html
    assert not spawner.active


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tenant": ["robots"]}, "You can&#39;t start servers in team &#39;robots&#39;"),
        ({"tenant": ["nlp"], "profile": ["mig-9g"]}, "has no profile &#39;mig-9g&#39;"),
        ({"gpus": ["8"]}, "There is no option &#39;gpus&#39;"),
        ({"profile": ["a", "b"]}, "profile was given 2 times"),
        ({"wait": ["for ever"]}, "wait is &#39;for ever&#39;"),
        ({"profile": ["<script>alert(1)</script>"], "tenant": ["nlp"]}, "&lt;script&gt;"),
    ],
)
async def test_a_link_that_makes_no_sense_is_told_so_on_the_menu(
    hub: HubInMemory, given: dict[str, list[str]], said: str
) -> None:
    spawner = linked(hub.person("ada", nlp=Role.MEMBER, vision=Role.MEMBER).spawner, **given)
    html = await spawner.get_options_form()
    assert said in html
    assert "can&#39;t be followed" in html
    assert "<script>alert" not in html


async def test_jupyterhubs_own_way_from_a_link_to_a_server_is_shut(hub: HubInMemory) -> None:
    spawner = hub.person("ada", nlp=Role.MEMBER).spawner
    with pytest.raises(SpawnRefused):
        spawner.options_from_query({"tenant": ["nlp"], "profile": ["mig-1g.10gb"]})


async def test_a_link_to_a_profile_that_is_taken_chooses_to_wait_for_it(hub: HubInMemory) -> None:
    await hub.person("bob", nlp=Role.MEMBER).spawn("", options={"tenant": "nlp", "profile": "mig-3g.40gb"})
    ada = hub.person("ada", nlp=Role.MEMBER, vision=Role.MEMBER)
    html = await linked(ada.spawner, tenant=["nlp"], profile=["mig-3g.40gb"]).get_options_form()
    assert chosen(html, "profile") == ["nlp/mig-3g.40gb/wait"]


async def test_home_knows_the_loads_of_the_menu_and_of_a_servers_team(hub: HubInMemory) -> None:
    alice = hub.person("alice", nlp=Role.MEMBER, vision=Role.VIEWER)
    known = await alice.spawner.team_choice.known_loads(["vision", "gone"], within=5.0)
    assert known.usable == ("nlp",)
    assert known.loads is not None
    assert set(known.loads) == {"nlp", "vision"}


async def test_a_cluster_that_hangs_leaves_home_without_numbers_and_in_time(
    hub: HubInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_tenant: str) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(hub.host_cluster.admission, "overview", hang)
    alice = hub.person("alice", nlp=Role.MEMBER)
    async with asyncio.timeout(2):
        known = await alice.spawner.team_choice.known_loads([], within=0.05)
    assert (known.usable, known.loads) == (("nlp",), None)
