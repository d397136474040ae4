"""A team's environments over REST."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aifactory_hub.domain.environments import Environment, Kind, Needs, State, Version

from ..support.fake_hub import FakeHub
from ..support.job_service import make_registry, running_service

TORCH = Environment(
    "torch",
    "PyTorch",
    Kind.LAB,
    {
        "2": Version("2", "i2", packages={"torch": "2.5"}),
        "1": Version("1", "i1", State.BLOCKED, None, "2", "it has a hole"),
    },
    needs=Needs(memory_bytes=2**31),
)
OF_VISION = replace(TORCH, name="of-vision", teams=("vision",))


async def test_a_member_sees_versions_and_the_sizes_that_they_go_with(tmp_path: Path, hub: FakeHub) -> None:
    site = {each.name: each for each in (TORCH, OF_VISION)}

    async with running_service(
        tmp_path, hub=hub, registry=lambda url: replace(make_registry(service=url), environments=site)
    ) as service:
        async with service.http("ada") as http:
            (found,) = (await http.get("/tenants/nlp/environments")).json()["environments"]
            assert (found["environment"], found["kind"], found["first"]) == ("torch", "lab", "2")
            newer, older = found["versions"]
            assert (newer["startable"], newer["packages"]) == (True, {"torch": "2.5"})
            assert (older["startable"], older["why"], older["successor"]) == (False, "it has a hole", "2")
            fits = {each["profile"]: (each["fit"], each["instead"]) for each in found["profiles"]}
            assert fits["cpu-small"] == ("refuses", "mig-1g.10gb")
            assert fits["mig-1g.10gb"] == ("fits", None)
        async with service.http("eve") as http:
            assert (await http.get("/tenants/nlp/environments")).status_code == 403


async def test_a_site_without_environments_has_none(tmp_path: Path, hub: FakeHub) -> None:
    async with running_service(tmp_path, hub=hub) as service, service.http("ada") as http:
        assert (await http.get("/tenants/nlp/environments")).json() == {"tenant": "nlp", "environments": []}
