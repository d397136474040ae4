"""A server in an environment: what its pod is made of, what fixes the version, and what the page offers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from aifactory_hub.domain.environments import Environment, GpuUse, Kind, Needs, Offering, State, Version
from aifactory_hub.domain.menu import TeamLoad
from aifactory_hub.domain.quota import Usage
from aifactory_hub.domain.spawns import SpawnRequest
from aifactory_hub.domain.tenants import Role, TeamVolume
from aifactory_spawner.options_form import Menu, build_menu, render
from aifactory_spawner.refusals import SpawnRefused
from aifactory_spawner.server_rules import review_start

from ..support.tenants import SMALL, make_catalogue, make_tenant
from .hub_in_memory import HubInMemory, start

GIB = 2**30
NOW = 1_800_000_000.0


def image(digit: str) -> str:
    return f"images.example.org/torch@sha256:{digit * 64}"


TORCH = Environment(
    "torch",
    "PyTorch",
    Kind.LAB,
    {
        "2": Version("2", image("2"), packages={"torch": "2.5"}),
        "1": Version("1", image("1"), State.DEPRECATED, 2 * NOW, "2", "old", {"torch": "2.3"}),
        "0": Version("0", image("0"), State.BLOCKED, None, "2", "it has a hole"),
    },
    needs=Needs(memory_bytes=2 * GIB, device_bytes=9 * GIB),
)
CODE = Environment(
    "vscode", "VS Code", Kind.CODE, {"4": Version("4", image("c"))}, needs=Needs(gpu=GpuUse.NONE), hooks=("echo $HOME",)
)
VISION_ONLY = replace(TORCH, name="secret", teams=("vision",))
SITE = {each.name: each for each in (TORCH, CODE, VISION_ONLY)}


@pytest.fixture
def offering(hub: HubInMemory) -> HubInMemory:
    hub.registry = replace(hub.registry, environments=SITE)
    return hub


async def container_of(hub: HubInMemory) -> dict[str, Any]:
    pod = hub.cluster.apis["nlp"].objects["/api/v1/namespaces/notebooks/pods/nb-ada"]
    found: dict[str, Any] = pod["spec"]["containers"][0]
    return found


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container["env"]}


async def test_jupyterlab_in_another_image_starts_as_ever(offering: HubInMemory) -> None:
    spawner = await start(offering.person("ada", nlp=Role.MEMBER))
    container = await container_of(offering)
    assert container["image"] == image("2")
    assert container["args"][:3] == ["python3", "-m", "jupyterhub.singleuser"]
    assert variables(container)["AIFACTORY_ENVIRONMENT"] == "torch@2"
    assert spawner.record.binding.environment == "torch@2"


async def test_vs_code_is_started_by_our_program_which_is_told_what_to_run(offering: HubInMemory) -> None:
    await start(offering.person("ada", nlp=Role.MEMBER), environment="vscode")
    container = await container_of(offering)
    assert (container["image"], container["args"]) == (image("c"), ["python3", "-m", "aifactory_hub.editors"])
    told = variables(container)
    assert (told["AIFACTORY_SERVER_KIND"], told["AIFACTORY_ENVIRONMENT"]) == ("code", "vscode@4")
    # Kubernetes reads $$ as one $.
    assert json.loads(told["AIFACTORY_START_HOOKS"].replace("$$", "$")) == ["echo $HOME"]


async def test_the_next_start_has_nothing_of_an_environment_that_is_gone(offering: HubInMemory) -> None:
    ada = offering.person("ada", nlp=Role.MEMBER)
    await start(ada, environment="vscode")
    await ada.stop()
    offering.registry = replace(offering.registry, environments={})
    await start(ada)
    container = await container_of(offering)
    assert (container["image"], container["args"][1:]) == ("notebook:1", ["-m", "jupyterhub.singleuser"])
    assert not {"AIFACTORY_ENVIRONMENT", "AIFACTORY_SERVER_KIND", "AIFACTORY_START_HOOKS"} & set(variables(container))


@pytest.mark.parametrize(
    ("environment", "profile", "said"),
    [
        ("torch@0", "mig-1g.10gb", "torch 0 is blocked: it has a hole. Choose torch@2."),
        ("torch@7", "mig-1g.10gb", "torch has no version '7'"),
        ("secret", "mig-1g.10gb", "Team nlp has no environment 'secret'"),
        ("torch", "cpu-small", "PyTorch does not fit on cpu-small: it needs 2 GiB of memory, and this size has 1 GiB"),
    ],
    ids=["blocked", "unknown version", "another team's", "does not fit"],
)
async def test_what_may_not_start_is_refused_before_anything_is_made(
    offering: HubInMemory, environment: str, profile: str, said: str
) -> None:
    ada = offering.person("ada", nlp=Role.MEMBER)
    with pytest.raises(SpawnRefused, match=re.escape(said)):
        await start(ada, environment=environment, profile=profile)
    assert await offering.admission.tickets("nlp") == []
    assert "/api/v1/namespaces/notebooks/pods/nb-ada" not in offering.cluster.apis["nlp"].objects


async def test_an_environment_where_there_is_none_is_refused(hub: HubInMemory) -> None:
    with pytest.raises(SpawnRefused, match="There is no environment 'torch'"):
        await start(hub.person("ada", nlp=Role.MEMBER), environment="torch")


async def test_the_form_stores_the_version_and_not_the_name_alone(offering: HubInMemory) -> None:
    spawner = offering.person("ada", nlp=Role.MEMBER).spawner
    chosen = {"tenant": ["nlp"], "profile": ["mig-1g.10gb"]}
    assert await spawner.team_choice.read_menu({**chosen, "environment": ["torch@1"]}) == {
        "tenant": "nlp",
        "profile": "mig-1g.10gb",
        "environment": "torch@1",
    }
    assert (await spawner.team_choice.read_menu(chosen))["environment"] == "torch@2"


async def test_what_speaks_against_a_pair_without_stopping_it_is_told_at_the_start(offering: HubInMemory) -> None:
    spawner = await start(offering.person("ada", nlp=Role.MEMBER), environment="vscode")
    said = [event["text"] async for event in spawner.progress()]
    assert "vscode@4: no program in it uses a GPU, so the GPU would be idle" in said


async def test_a_binding_of_an_earlier_hub_has_no_environment() -> None:
    from aifactory_spawner.binding import Binding

    state = Binding("nlp", "p", "t", "vc-nlp", "nlp").to_state()
    del state["environment"]
    found = Binding.from_state(state)
    assert found is not None
    assert found.environment == ""


async def test_a_teams_volumes_are_beside_the_home_read_only_unless_said(hub: HubInMemory) -> None:
    volumes = (TeamVolume("team", "t", "/team", write=True), TeamVolume("claims", "c", "/data/claims"))
    nlp = replace(hub.registry.tenants["nlp"], volumes=volumes)
    hub.registry = replace(hub.registry, tenants={**hub.registry.tenants, "nlp": nlp})
    ada = hub.person("ada", nlp=Role.MEMBER)
    for _ in range(2):
        await start(ada)
        pod = hub.cluster.apis["nlp"].objects["/api/v1/namespaces/notebooks/pods/nb-ada"]["spec"]
        assert [each["name"] for each in pod["volumes"]] == ["home", "team-team", "team-claims"]
        assert pod["volumes"][2]["persistentVolumeClaim"] == {"claimName": "c", "readOnly": True}
        mounts = {each["mountPath"]: each.get("readOnly", False) for each in pod["containers"][0]["volumeMounts"]}
        assert mounts == {"/home/jovyan": False, "/team": False, "/data/claims": True}
        await ada.stop()
    hub.registry = replace(hub.registry, tenants={**hub.registry.tenants, "nlp": replace(nlp, volumes=())})
    await start(ada)
    pod = hub.cluster.apis["nlp"].objects["/api/v1/namespaces/notebooks/pods/nb-ada"]["spec"]
    assert [each["name"] for each in pod["volumes"]] == ["home"]


# The page


def menu(preferred: str | None = None, *, teams: tuple[str, ...] = ("nlp",), **site: Environment) -> Menu:
    tenants = {name: make_tenant(name, quota={SMALL: 2}) for name in ("nlp", "vision")}
    loads = {name: TeamLoad(NOW, Usage({}, ()), queue=(), carved={SMALL: 7}) for name in teams}
    return build_menu(
        tenants,
        dict.fromkeys(teams, Role.MEMBER),
        loads,
        make_catalogue(),
        simulated=False,
        preferred=SpawnRequest("nlp", None, environment=preferred),
        offering=Offering(site or SITE, None, NOW),
    )


def chosen(html: str, name: str) -> list[str]:
    inputs = [tag for tag in re.findall(r"<input[^>]*>", html) if f'name="{name}"' in tag]
    return [re.findall(r'value="([^"]*)"', tag)[0] for tag in inputs if " checked" in tag]


def test_a_site_without_environments_has_no_part_for_them() -> None:
    tenants = {"nlp": make_tenant("nlp")}
    loads = {"nlp": TeamLoad(NOW, Usage({}, ()), queue=())}
    asked = SpawnRequest(None, None)
    html = render(build_menu(tenants, {"nlp": Role.MEMBER}, loads, make_catalogue(), simulated=False, preferred=asked))
    assert "af-environments" not in html
    assert 'name="environment"' not in html


def test_the_first_environment_and_a_size_that_goes_with_it_are_chosen() -> None:
    html = render(menu())
    assert (chosen(html, "environment"), chosen(html, "profile")) == (["torch@2"], ["mig-1g.10gb"])
    assert "secret" not in html


def test_a_size_that_does_not_go_with_it_stays_and_says_why_and_what_does() -> None:
    html = render(menu())
    why = "it needs 2 GiB of memory, and this size has 1 GiB; the smallest that fits is mig-1g.10gb"
    assert f'<div class="af-fit" id="af-nlp:cpu-small-fit">{why}</div>' in html


def test_the_script_gets_every_pair_that_is_worth_telling() -> None:
    found = re.search(r'<script type="application/json" id="af-pairs">(.*?)</script>', render(menu()))
    assert found is not None
    pairs = json.loads(found[1])
    torch, code = pairs["environments"]["torch"], pairs["environments"]["vscode"]
    assert pairs["texts"][torch["af-nlp:cpu-small"]][1] == "af-nlp:mig-1g.10gb"
    assert "af-nlp:mig-1g.10gb" not in torch
    assert code["af-nlp:mig-1g.10gb"] < 0
    assert "would be idle" in pairs["texts"][-code["af-nlp:mig-1g.10gb"] - 1][0]


def test_who_had_a_version_keeps_it_and_is_offered_what_follows_with_the_difference() -> None:
    html = render(menu("torch@1"))
    assert chosen(html, "environment") == ["torch@1"]
    assert "Your last server had 1, deprecated until" in html
    assert "2 follows it: 1 package differs: torch 2.3 to 2.5." in html
    assert "<details open>" in html


def test_who_had_a_version_that_is_blocked_now_gets_what_follows() -> None:
    html = render(menu("torch@0"))
    assert chosen(html, "environment") == ["torch@2"]
    assert "Your last server had 0, blocked (it has a hole). 2 follows it" in html


def test_who_had_an_environment_that_is_gone_gets_the_first() -> None:
    assert chosen(render(menu("absent@1")), "environment") == ["torch@2"]


def test_a_blocked_version_is_shown_with_its_reason_and_can_not_be_chosen() -> None:
    html = render(menu())
    tag = next(tag for tag in re.findall(r"<input[^>]*>", html) if 'value="torch@0"' in tag)
    assert "disabled" in tag
    assert "blocked (it has a hole)" in html


def test_an_environment_with_no_version_that_may_start_says_so() -> None:
    ended = replace(TORCH, versions={"0": TORCH.versions["0"]})
    html = render(menu(torch=ended, vscode=CODE))
    assert "no version of it may be started now" in html
    assert chosen(html, "environment") == ["vscode@4"]


def test_who_is_in_two_teams_sees_which_environment_belongs_to_which() -> None:
    html = render(menu(teams=("nlp", "vision")))
    assert 'data-environment="torch" data-teams="nlp vision"' in html
    assert 'data-environment="secret" data-teams="vision"' in html


def test_texts_of_the_registry_can_not_end_the_script_or_the_page() -> None:
    bad = "</script><img src=x>"
    hostile = replace(TORCH, display_name=bad, description=bad, versions={"1": Version("1", "i", why=bad)})
    html = render(menu(torch=hostile))
    assert "<img" not in html
    assert html.count("</script>") == 2


async def test_the_rules_of_the_site_see_the_image_of_the_environment(
    offering: HubInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    spawner = offering.person("ada", nlp=Role.MEMBER).spawner

    def spy(*args: Any, **given: Any) -> Any:
        seen.append(given["image"])
        return review_start(*args, **given)

    monkeypatch.setattr("aifactory_spawner.team_choice.review_start", spy)
    spawner.user_options = {"tenant": "nlp", "profile": "mig-1g.10gb", "environment": "torch@1"}
    await spawner.team_choice.admit(await spawner.team_choice.plan(), ask=False)
    assert seen == [image("1")]
