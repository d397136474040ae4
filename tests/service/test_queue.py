"""The view of the queue over REST: who sees what, why something waits, and the plan for administrators."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.clusters import HostWatch
from aifactory_hub.constants import SCOPE_PLATFORM
from aifactory_hub.domain.gpu_layouts import GpuLayout
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.pod_samples import Series
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.registry import RegistryProvider
from aifactory_hub.service.host_view import WatchedHost
from aifactory_hub.telemetry.base import TelemetryUnavailable

from ..support.fake_hub import FakeHub, scopes_for
from ..support.gpus import gpu, sample
from ..support.job_service import RunningService, make_registry, running_service
from ..support.tenants import SMALL

SMALLS = ("1g.10gb",) * 7


@dataclass
class Host:
    """The host as a test has it; no GPUs: nothing tells of them."""

    layouts: Sequence[GpuLayout] | None = None
    seen: list[PodFact] = field(default_factory=list)

    def pods(self) -> Sequence[PodFact] | None:
        return self.seen

    async def gpus(self) -> Sequence[GpuLayout]:
        if self.layouts is None:
            raise TelemetryUnavailable("telemetry.prometheus is not set in tenants.yaml")
        return self.layouts


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
async def site(tmp_path: Path, hub: FakeHub, host: Host) -> AsyncIterator[RunningService]:
    hub.administrators.add("rene")
    hub.add("rene", "rene", [*scopes_for(), SCOPE_PLATFORM])
    hub.add("rene-notebook", "rene", scopes_for("nlp"), groups=["tenant-nlp"])
    async with running_service(tmp_path, hub=hub, reconciling=False, host=host) as running:
        yield running


async def ask(service: RunningService, token: str, **query: str) -> dict[str, Any]:
    async with service.http(token) as http:
        answer = await http.get("/queue", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def submitted(service: RunningService, token: str, count: int) -> list[str]:
    """Jobs of one small slice each, in the order of their submission; a team has two slices."""
    found = []
    async with service.http(token) as http:
        for number in range(count):
            asked = {"command": "true", "profile": "mig-1g.10gb", "key": f"{token}-{number}"}
            found.append((await http.post("/jobs", json=asked)).json()["id"])
            await service.reconciler.settle()
    return found


async def test_the_longest_waiting_comes_first_with_why(site: RunningService) -> None:
    jobs = await submitted(site, "ada", 4)
    told = await ask(site, "bob")
    assert (told["scope"], told["teams"], told["simulated"], told["left_off"]) == ("teams", ["nlp"], True, 0)
    assert [each["owner"] for each in told["waiting"]] == jobs[2:]
    first = told["waiting"][0]
    assert (first["team"], first["user"], first["cause"]) == ("Nlp", "ada", "no-borrowing")
    assert first["why"] == "The team holds 2 of its own 2 mig-1g.10gb, and may borrow none."
    assert f"job {jobs[0]} of ada" in first["lets_go"]
    assert first["devices"] == [{"resource": SMALL.resource, "flavor": SMALL.flavor, "count": 1}]


async def test_a_job_that_is_held_waits_too(site: RunningService) -> None:
    (job,) = await submitted(site, "ada", 1)
    why = "held until security approves it"
    record = site.context.jobs.get(job)
    assert record is not None
    site.context.jobs.add(replace(record, id="j00000000held", key="held", state=JobState.HELD, reason=why))
    (held,) = (await ask(site, "bob"))["waiting"]
    assert (held["owner"], held["cause"], held["why"]) == ("j00000000held", "approval", f"It is {why}.")


@pytest.mark.parametrize(("token", "teams"), [("both", ["nlp", "vision"]), ("eve", ["vision"]), ("stranger", [])])
async def test_everybody_sees_their_own_teams_alone(site: RunningService, token: str, teams: list[str]) -> None:
    await submitted(site, "ada", 3)
    told = await ask(site, token)
    assert (told["teams"], told["gpus"], told["plan"]) == (teams, None, None)
    assert {each["tenant"] for each in told["waiting"]} == {"nlp"} & set(teams)


@pytest.mark.parametrize(
    ("token", "tenant", "status"),
    [("ada", "nlp", 200), ("ada", "vision", 403), ("ada", "ghost", 403), ("rene", "nlp", 403), (None, "nlp", 401)],
)
async def test_who_may_name_a_team(site: RunningService, token: str | None, tenant: str, status: int) -> None:
    async with site.http(token) as http:
        answer = await http.get("/queue", params={"tenant": tenant})
    assert answer.status_code == status, answer.text


async def test_administrators_see_all_teams_and_a_plan(site: RunningService, host: Host) -> None:
    host.layouts = [gpu("gpu-1", 0, *(f"{name}*" for name in SMALLS)), gpu("gpu-1", 1, "3g.40gb", "3g.40gb")]
    await submitted(site, "ada", 4)
    await submitted(site, "eve", 3)
    told = await ask(site, "rene")
    assert (told["scope"], told["teams"], told["not_known"]) == ("platform", ["nlp", "vision"], [])
    assert [each["tenant"] for each in told["waiting"]] == ["nlp", "nlp", "vision"]
    gpus = told["gpus"]
    assert (gpus["known"], gpus["idle"], gpus["full"], gpus["free"], gpus["stranded"]) == (True, 1, 1, 1.0, 1.0)
    assert gpus["gpus"][1]["slices"] == [{"slice": "3g.40gb", "total": 2, "free": 2, "stranded": 2}]
    plan = told["plan"]
    (step,) = plan["steps"]
    assert (step["node"], step["index"], step["before"], step["held_beside"]) == ("gpu-1", 1, {"3g.40gb": 2}, 7)
    assert step["after"] == {"1g.10gb": 4, "3g.40gb": 1}
    assert step["starts"] == [
        {"tenant": "nlp", "profile": "mig-1g.10gb", "count": 2},
        {"tenant": "vision", "profile": "mig-1g.10gb", "count": 1},
    ]
    assert [(each["tenant"], each["more"]) for each in plan["more_quota"]] == [("nlp", 2), ("vision", 1)]
    assert [(each["resource"], each["carved"], each["after"]) for each in plan["capacities"]] == [
        ("nvidia.com/mig-3g.40gb", 0, 0),
        ("nvidia.com/mig-1g.10gb", 7, 11),
    ]
    assert "mig-configs" in plan["config"] and plan["commands"][0] == "kubectl cordon gpu-1"


async def test_a_notebooks_token_of_an_administrator_sees_the_team_alone(site: RunningService) -> None:
    told = await ask(site, "rene-notebook")
    assert (told["scope"], told["teams"], told["gpus"]) == ("teams", ["nlp"], None)


async def test_where_nothing_tells_of_the_gpus_it_says_why_and_has_no_plan(site: RunningService) -> None:
    told = await ask(site, "rene")
    assert told["gpus"]["known"] is False and told["gpus"]["gpus"] is None and told["plan"] is None
    assert told["gpus"]["why"] == "telemetry.prometheus is not set in tenants.yaml"


class Watch:
    """The host's pods, heard or not."""

    def __init__(self, *, stale: bool) -> None:
        self.stale = stale

    def pods(self) -> list[PodFact]:
        fact = PodFact("vc-nlp", "nlp", "jobs", "p", "u", "p-x", "Running", node="gpu-1")
        return [fact._replace(devices=((SMALL.resource, 1),))]


class Samples:
    """What Prometheus has."""

    def __init__(self, *series: Series) -> None:
        self._series = list(series)

    async def slices(self) -> list[Series]:
        return self._series


@pytest.mark.parametrize(
    ("stale", "labels", "unknown"),
    [
        (False, {"exported_pod": "p-x"}, ""),
        (False, {"exported_pod": ""}, "the pods on its node hold 1 nvidia.com/mig-1g.10gb, and the samples say 0"),
        (True, {"exported_pod": "p-x"}, "the host's pods are not heard now"),
    ],
)
async def test_the_real_host_compares_samples_with_its_pods(stale: bool, labels: dict[str, str], unknown: str) -> None:
    seen: Any = Samples(sample(slice="1g.10gb", id=7, **labels))
    watch: Any = Watch(stale=stale)
    assert hasattr(HostWatch, "stale") and hasattr(HostWatch, "pods")
    (found,) = await WatchedHost(watch, seen, RegistryProvider(make_registry())).gpus()
    assert (found.unknown.startswith(unknown), bool(found.unknown)) == (True, bool(unknown)), found


async def test_no_sample_at_all_is_unknown_and_not_an_empty_cluster() -> None:
    seen: Any = Samples()
    watch: Any = Watch(stale=False)
    with pytest.raises(TelemetryUnavailable, match="no sample of a GPU"):
        await WatchedHost(watch, seen, RegistryProvider(make_registry())).gpus()
